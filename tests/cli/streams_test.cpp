// Standard streams that are closed, full, or read no further.
#include <sys/stat.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "gen_command.h"
#include "process.h"

namespace gen::test {
namespace {

namespace fs = std::filesystem;

CommandResult in_bash(const std::string& line) {
  return run_command({"bash", "-c", "gen=" + gen_binary().string() + "; " + line}, {"OMP_NUM_THREADS=1"});
}

TEST(ClosedStreams, NoFileOfARunGetsWhatWasMeantForThem) {
  const TempDir folder;
  write_text(folder / "c.json", R"({
    "model": {"type": "vae", "latent_dim": 2, "encoder": {"type": "mlp", "hidden_sizes": [8]}, "likelihood": {"type": "gaussian"}},
    "data": {"type": "toy2d"}, "train": {"steps": 2, "batch_size": 4, "sample_count": 0, "log_every": 1}})");
  const std::string train = "$gen train --config " + (folder / "c.json").string() + " --run-dir ";
  for (const auto& [name, closed] : {std::pair{"a", ">&-"}, {"b", "2>&-"}, {"c", "<&- >&- 2>&-"}}) {
    EXPECT_EQ(in_bash(train + (folder / name).string() + " " + closed).exit_code, 0) << closed;
    EXPECT_EQ(read_text(folder / name / "STATUS"), "done\n") << closed;
    std::istringstream lines(read_text(folder / name / "metrics.jsonl"));
    int count = 0;
    for (std::string line; std::getline(lines, line); ++count)
      EXPECT_TRUE(line.starts_with("{\"step\"")) << line;
    EXPECT_EQ(count, 3) << closed << ": two steps and a validation";
  }
  const auto sampled = in_bash("$gen sample --run " + (folder / "a").string() + " --count 2 --out " +
                               (folder / "s").string() + " >&- 2>&-");
  EXPECT_EQ(sampled.exit_code, 0);
  EXPECT_TRUE(read_text(folder / "s" / "scatter.png").starts_with("\x89PNG"));
}

TEST(ClosedStreams, ResultsThatWouldBeNowhereElseAreAnError) {
  const auto closed = in_bash("$gen list >&-");
  EXPECT_EQ(closed.exit_code, 6);
  EXPECT_NE(closed.err.find("stdout is closed"), std::string::npos) << closed.err;
  EXPECT_EQ(in_bash("$gen describe config > /dev/full").exit_code, 6);
}

TEST(ClosedStreams, AReaderThatHasEnoughIsNoError) {
  // The reader is gone before the writer has begun.
  EXPECT_EQ(in_bash("{ $gen describe config; echo $? >&2; } | true").err, "0\n");
}

// What has nothing to save need not be asked twice, wherever it is: here it waits for its config to be written.
TEST(Interrupted, VerbsThatSaveNothingEndAtTheFirstSignal) {
  const TempDir folder;
  const auto config = (folder / "config").string();
  ASSERT_EQ(mkfifo(config.c_str(), 0600), 0);
  for (const auto& command :
       {std::vector<std::string>{"check", "--config", config}, {"train", "--dry-run", "--config", config}}) {
    Process process(command, folder / "log.txt");
    const int writer = open(config.c_str(), O_WRONLY);  // once it has begun to read
    process.send(SIGINT);
    EXPECT_EQ(process.wait(), 130) << read_text(folder / "log.txt");
    close(writer);
  }
}

}  // namespace
}  // namespace gen::test
