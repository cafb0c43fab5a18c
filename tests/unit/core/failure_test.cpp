#include "gen/core/failure.h"

#include <c10/util/Exception.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <system_error>

#include "gen/core/os_error.h"

namespace gen {
namespace {

template <class E>
Failure explained(const E& error) {
  return explain(std::make_exception_ptr(error));
}

TEST(Explain, MemoryThatRanOutIsExit5WhoeverFoundIt) {
  for (const Failure& failure :
       {explained(std::bad_alloc()), explained(std::length_error("vector::_M_default_append")),
        explained(c10::Error("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory",
                             nullptr)),
        explained(std::system_error(ENOMEM, std::generic_category()))}) {
    EXPECT_EQ(failure.code, ExitCode::out_of_memory);
    EXPECT_TRUE(failure.message.starts_with("out of memory: ")) << failure.message;
    EXPECT_NE(failure.message.find(" are free ("), std::string::npos) << failure.message;
  }
}

TEST(Explain, AThreadThatCannotStartIsWantOfMemoryOrOfProcesses) {
  const auto failure = explained(std::system_error(EAGAIN, std::generic_category()));
  EXPECT_EQ(failure.code, ExitCode::out_of_memory);
  EXPECT_TRUE(failure.message.starts_with("a thread cannot be started")) << failure.message;
}

TEST(Explain, AFileSystemsRefusalIsToldInOurWords) {
  const auto failure = explained(std::filesystem::filesystem_error(
      "cannot get file status", "runs/x", std::error_code(EMFILE, std::generic_category())));
  EXPECT_EQ(failure.code, ExitCode::io);
  EXPECT_EQ(failure.message,
            "runs/x: cannot be read or written: Too many open files (this process may not open more: raise "
            "the limit "
            "with ulimit -n)");
}

TEST(Explain, OwnErrorsKeepTheirWordsAndCode) {
  const auto failure = explained(DataError("x.png: torn"));
  EXPECT_EQ(failure.message, "x.png: torn");
  EXPECT_EQ(failure.code, ExitCode::data);
}

TEST(Explain, AllElseIsABugOfOneLine) {
  const auto failure = explained(std::runtime_error("first\nsecond"));
  EXPECT_EQ(failure.message, "a bug in gen, which should have foreseen this: first");
  EXPECT_EQ(failure.code, ExitCode::failure);
}

TEST(OsErrorText, NeverSaysSuccess) {
  EXPECT_EQ(os_error_text(0), "for a reason that the system did not give");
}

}  // namespace
}  // namespace gen
