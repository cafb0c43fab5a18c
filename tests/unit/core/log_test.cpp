#include "gen/core/log.h"

#include <sys/resource.h>

#include <cstdio>

#include "gen/core/error.h"
#include "support/support.h"
#include "unit/io/damage.h"

namespace gen {
namespace {

TEST(Log, AFileThatCannotBeOpenedSaysWhy) {
  try {
    log::open_file("/proc/no-such/train.log");
    FAIL() << "opened";
  } catch (const IoError& error) {
    EXPECT_STREQ(error.what(),
                 "/proc/no-such/train.log: cannot open the log file: No such file or directory");
  }
}

TEST(Log, AFileThatCannotBeWrittenIsToldOnceInOurWords) {
  const test::TempDir folder;
  constexpr size_t kLimit = 4096;
  test::write_text(folder / "train.log", std::string(kLimit, 'x'));
  const int code = test::in_child([&] {
    const bool redirected = std::freopen((folder / "stderr").c_str(), "w", stderr) != nullptr;
    const rlimit limit{kLimit, kLimit};
    if (!redirected || setrlimit(RLIMIT_FSIZE, &limit) != 0) return 1;
    log::open_file(folder / "train.log");
    for (const char* line : {"one", "two"}) log::info("{}", line);
    std::fflush(stderr);
    return 0;
  });
  ASSERT_EQ(code, 0);
  EXPECT_EQ(test::read_text(folder / "stderr"),
            "info: one\nwarning: the log file cannot be written: File too large (raise ulimit -f, or choose "
            "a file system "
            "that holds larger files); the work goes on without it\ninfo: two\n");
}

}  // namespace
}  // namespace gen
