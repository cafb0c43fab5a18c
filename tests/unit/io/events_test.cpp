#include "gen/io/events.h"

#include <gtest/gtest.h>

#include "gen/core/error.h"
#include "io/crc32c.h"
#include "support/support.h"

namespace gen {
namespace {

std::vector<std::filesystem::path> files_in(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) files.push_back(entry.path());
  return files;
}

void write_events(const std::filesystem::path& folder) {
  EventWriter writer(folder);
  for (int step = 1; step <= 3; ++step) writer.scalar("train/loss", 1.0 / step, step * 100);
  writer.image("samples", {2, 3, 3, std::vector<uint8_t>(18, 200)}, 300);
  writer.text("config", "**bold**", 0);
}

TEST(Events, BeginWithTheFileVersion) {
  const test::TempDir folder;
  { EventWriter writer(folder.path()); }
  const auto files = files_in(folder.path());
  ASSERT_EQ(files.size(), 1U);
  EXPECT_TRUE(files[0].filename().string().starts_with("events.out.tfevents.")) << files[0];
  const auto bytes = test::read_text(files[0]);
  // How every TensorBoard file starts: a record of 24 bytes.
  ASSERT_EQ(bytes.size(), 40U);
  const std::string payload = bytes.substr(12, 24);
  EXPECT_EQ(bytes, tfrecord(payload));
  EXPECT_EQ(payload.substr(9),
            "\x1a\x0d"
            "brain.Event:2");
}

TEST(Events, TwoWritersTakeTwoFiles) {
  const test::TempDir folder;
  EventWriter a(folder.path()), b(folder.path()), c(folder.path());
  EXPECT_EQ(files_in(folder.path()).size(), 3U);
}

TEST(Events, FilesSortInTheOrderOfTheirMaking) {
  const test::TempDir folder;
  const std::string far = "events.out.tfevents.9000000000.host";  // by a clock that was wrong
  test::write_text(folder / far, "");
  EventWriter writer(folder.path());
  for (const auto& file : files_in(folder.path()))
    if (file.filename() != far) EXPECT_GT(file.filename().string(), far);
}

TEST(Events, ARestartTellsReadersToForgetLaterSteps) {
  const test::TempDir folder;
  EventWriter writer(folder.path());
  writer.restart(6);
  // Event.step 7, Event.session_log {status: START}; written at once.
  EXPECT_NE(test::read_text(files_in(folder.path()).front()).find(std::string("\x10\x07\x3a\x02\x08\x01")),
            std::string::npos);
}

TEST(Events, UnwritablePlaceIsAnIoError) { EXPECT_THROW(EventWriter("/proc/gen-test"), IoError); }

TEST(Events, TensorBoardReadsThem) {
  const char* python = std::getenv("GEN_PEERS_PYTHON");
  if (python == nullptr) GTEST_SKIP() << "needs $GEN_PEERS_PYTHON, which is absent";
  const test::TempDir folder;
  write_events(folder.path());
  const auto result = test::run_command(
      {python, (test::source_dir() / "tests/golden/events/check.py").string(), folder.path().string()});
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
}

}  // namespace
}  // namespace gen
