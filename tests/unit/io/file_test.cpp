#include "gen/io/file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "damage.h"
#include "gen/core/error.h"
#include "gen/io/json_file.h"
#include "gen/io/safetensors.h"
#include "io/crc32c.h"
#include "support/support.h"

namespace gen {
namespace {

namespace fs = std::filesystem;
using test::in_child;
using test::read_text;
using test::write_text;

size_t entries(const fs::path& folder) {
  return static_cast<size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

TEST(ReadFile, GivesTheBytesAndRefusesWhatIsNoFile) {
  const test::TempDir folder;
  const std::string bytes("a\0b", 3);
  write_text(folder / "x", bytes);
  EXPECT_EQ(read_file(folder / "x"), bytes);
  EXPECT_EQ(read_file(folder / "x", 3), bytes);
  EXPECT_THROW(read_file(folder / "x", 2), DataError);
  EXPECT_THROW(read_file(folder / "none"), DataError);
  EXPECT_THROW(read_file(folder / "x" / "y"), DataError);
  EXPECT_THROW(read_file(folder.path()), DataError);
}

TEST(ReadFile, DoesNotWaitForSomebodyToWriteIntoAPipe) {
  const test::TempDir folder;
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  EXPECT_THROW(read_file(folder / "pipe"), DataError);
  EXPECT_THROW(hash_file(folder / "pipe"), DataError);
}

TEST(ReadFile, StopsAtTheCapOfAnEndlessDevice) { EXPECT_THROW(read_file("/dev/zero", 1 << 22), DataError); }

TEST(AtomicFile, AppearsOnlyWhenCommitted) {
  const test::TempDir folder;
  write_text(folder / "x", "old");
  {
    AtomicFile file(folder / "x");
    file.write("new", 3);
    EXPECT_EQ(read_text(folder / "x"), "old");
    file.commit();
    EXPECT_EQ(read_text(folder / "x"), "new");
  }
  {
    AtomicFile(folder / "x").write("lost", 4);
  }
  EXPECT_EQ(read_text(folder / "x"), "new");
  EXPECT_EQ(entries(folder.path()), 1U);
}

TEST(AtomicFile, WritesThroughALink) {
  const test::TempDir folder;
  write_text(folder / "real", "old");
  fs::create_symlink("real", folder / "link");
  write_file_atomically(folder / "link", "new");
  EXPECT_TRUE(fs::is_symlink(folder / "link"));
  EXPECT_EQ(read_text(folder / "real"), "new");
}

TEST(AtomicFile, NeverReplacesADeviceOrAFolder) {
  const test::TempDir folder;
  fs::create_directory(folder / "sub");
  EXPECT_THROW(write_file_atomically(folder / "sub", "x"), IoError);
  EXPECT_THROW(write_file_atomically("/dev/full", "x"), IoError);
  EXPECT_TRUE(fs::is_character_file("/dev/full"));
  EXPECT_EQ(entries(folder.path()), 1U);
}

TEST(AtomicFile, ReadOnlyFolderIsAnIoError) {
  // /proc refuses new files to root too.
  EXPECT_THROW(write_file_atomically("/proc/gen-test", "x"), IoError);
  const test::TempDir folder;
  write_text(folder / "file", "");
  EXPECT_THROW(write_file_atomically(folder / "file" / "x", "x"), IoError);
  EXPECT_THROW(write_file_atomically(folder / "none" / "x", "x"), IoError);
}

TEST(AtomicFile, FullDiskKeepsTheOldFileAndLeavesNothing) {
  const test::TempDir folder;
  write_text(folder / "x", "old");
  const int code = in_child([&] {
    const rlimit limit{1 << 16, 1 << 16};
    setrlimit(RLIMIT_FSIZE, &limit);
    try {
      write_file_atomically(folder / "x", std::string(1 << 20, 'y'));
    } catch (const Error& error) {
      return static_cast<int>(error.code());
    }
    return 0;
  });
  EXPECT_EQ(code, 6);
  EXPECT_EQ(read_text(folder / "x"), "old");
  EXPECT_EQ(entries(folder.path()), 1U);
}

TEST(AtomicFile, KilledAtAnyPointLeavesOldOrNew) {
  const test::TempDir folder;
  bool saw_old = false, saw_new = false;
  for (int at = 0;; ++at) {
    write_text(folder / "x", "old");
    const int code = in_child([&] {
      set_fault_hook([n = at](const char*) mutable {
        if (n-- == 0) _exit(137);
      });
      write_file_atomically(folder / "x", "new");
      return 0;
    });
    const auto text = read_text(folder / "x");
    EXPECT_TRUE(text == "old" || text == "new") << text;
    (text == "old" ? saw_old : saw_new) = true;
    if (code == 0) break;
    ASSERT_EQ(code, 137);
    ASSERT_LT(at, 100);
  }
  EXPECT_TRUE(saw_old && saw_new);
}

TEST(Hash, IsXxh64) {
  // XXH64 of "" and "abc" with seed 0 (xxHash's specification and its command line tool).
  EXPECT_EQ(hash_bytes(""), "ef46db3751d8e999");
  EXPECT_EQ(hash_bytes("abc"), "44bc2cf5ad770999");
  const test::TempDir folder;
  const std::string large(3'000'001, 'x');
  write_text(folder / "x", large);
  EXPECT_EQ(hash_file(folder / "x"), hash_bytes(large));
  EXPECT_THROW(hash_file(folder / "none"), DataError);
}

std::string unhex(const std::string& text) {
  std::string bytes;
  for (size_t i = 0; i < text.size(); i += 2)
    bytes.push_back(static_cast<char>(std::stoi(text.substr(i, 2), nullptr, 16)));
  return bytes;
}

TEST(Crc32c, GoldenValues) {
  EXPECT_EQ(crc32c("123456789"), 0xE3069283U);
  EXPECT_EQ(crc32c(""), 0U);
  // RFC 3720, B.4: 32 bytes of zeros, of ones, and 0..31.
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAU);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62A8AB43U);
  std::string rising;
  for (char c = 0; c < 32; ++c) rising.push_back(c);
  EXPECT_EQ(crc32c(rising), 0x46DD794EU);
}

TEST(TfRecord, GoldenRecords) {
  EXPECT_EQ(tfrecord(""), unhex("000000000000000029039807d8ea82a2"));
  EXPECT_EQ(tfrecord("abc"), unhex("0300000000000000b099490e6162636e57f121"));
  EXPECT_EQ(tfrecord(std::string(24, 'x')).substr(0, 12), unhex("1800000000000000a37f4b22"));
  const auto example = unhex(
      "0a380a140a0161120f1a0d0a0b01ffffffffffffffffff010a110a0162120c120a0a080000c03f000000c00a0d0a016312080a"
      "060a0268690a00");
  EXPECT_EQ(tfrecord(example).substr(0, 12), unhex("3a000000000000001295eae2"));
  EXPECT_EQ(tfrecord(example).substr(12 + example.size()), unhex("633b1060"));
}

TEST(JsonFile, RoundTripAndErrors) {
  const test::TempDir folder;
  const Json value = {{"b", 1}, {"a", {1.5, nullptr, "x"}}};
  write_json(folder / "x.json", value);
  EXPECT_EQ(read_json(folder / "x.json"), value);
  EXPECT_EQ(read_text(folder / "x.json").back(), '\n');
  write_json(folder / "n.json", {{"loss", std::nan("")}, {"up", HUGE_VAL}});
  EXPECT_EQ(read_json(folder / "n.json"), (Json{{"loss", "nan"}, {"up", "inf"}}));
  write_text(folder / "bad.json", "{\"a\": ");
  try {
    read_json(folder / "bad.json");
    FAIL();
  } catch (const DataError& error) {
    EXPECT_NE(std::string(error.what()).find("bad.json: not valid JSON"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace gen
