// A picture that cannot be read, met by each verb that reads data.
#include <nlohmann/json.hpp>

#include "gen/io/image.h"
#include "gen_command.h"

namespace gen::test {
namespace {

namespace fs = std::filesystem;

// Sixteen pictures, of which 07.png is cut short; about a third is the test split.
class BadPicture : public testing::Test {
 protected:
  BadPicture() {
    fs::create_directory(folder / "pictures");
    for (int i = 0; i < 16; ++i)
      write_png(picture(i), Image{4, 4, 1, std::vector<uint8_t>(16, static_cast<uint8_t>(15 * i))});
    write_text(folder / "c.json", fmt::format(R"({{
      "model": {{"type": "vae", "latent_dim": 2, "encoder": {{"type": "mlp", "hidden_sizes": [8]}}}},
      "data": {{"type": "image_folder", "path": "{}", "size": 4, "channels": 1}},
      "train": {{"steps": 20, "batch_size": 2, "sample_count": 0, "log_every": 1, "checkpoint_every": 1000}}
    }})",
                                              (folder / "pictures").string()));
  }
  fs::path picture(int i) const { return folder / "pictures" / fmt::format("{:02}.png", i); }
  void damage() const { write_text(picture(7), read_text(picture(7)).substr(0, 50)); }
  CommandResult train(std::vector<std::string> more = {}) const {
    more.insert(more.begin(),
                {"train", "--config", (folder / "c.json").string(), "--run-dir", run(), "--quiet"});
    return run_gen(more);
  }
  std::string run() const { return (folder / "run").string(); }

  TempDir folder;
};

TEST_F(BadPicture, StopsTrainingWithACheckpointAndTheWayOnOrIsPassedOver) {
  damage();
  const auto stopped = train();
  EXPECT_EQ(stopped.exit_code, 3) << stopped.err;
  EXPECT_NE(stopped.err.find("07.png"), std::string::npos) << stopped.err;
  EXPECT_NE(stopped.err.find("gen train --run-dir " + run() + " --resume --set data.on_error=skip"),
            std::string::npos)
      << stopped.err;
  EXPECT_FALSE(fs::is_empty(fs::path(run()) / "checkpoints"));
  const auto resumed = run_gen({"train", "--run-dir", run(), "--resume", "--set", "data.on_error=skip"});
  EXPECT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_EQ(Json::parse(read_text(fs::path(run()) / "summary.json"))["skipped_examples"], 1);
  EXPECT_NE(read_text(fs::path(run()) / "skipped.jsonl").find("07.png"), std::string::npos);
}

TEST_F(BadPicture, LeavesPartialScoresOrIsLeftOut) {
  ASSERT_EQ(train({"--set", "train.steps=1"}).exit_code, 0);
  damage();
  std::vector<std::string> eval{"eval",         "--run", run(),    "--split", "train",
                                "--batch-size", "4",     "--json", "--quiet"};
  const auto partial = run_gen(eval);
  EXPECT_EQ(partial.exit_code, 3) << partial.err;
  const Json scores = Json::parse(partial.out);
  EXPECT_EQ(scores["examples"], 4);
  EXPECT_EQ(scores["partial"]["asked"], 16);
  EXPECT_NE(scores["partial"]["because"].get<std::string>().find("07.png"), std::string::npos);
  EXPECT_EQ(Json::parse(read_text(fs::path(run()) / "eval" / "train-partial.json")), scores);
  eval.insert(eval.end(), {"--set", "data.on_error=skip"});
  const Json whole = json_of(eval);
  EXPECT_EQ(whole["examples"], 15);
  EXPECT_EQ(whole["skipped"][0]["index"], 7);
  EXPECT_TRUE(fs::exists(fs::path(run()) / "eval" / "train.json"));
}

TEST_F(BadPicture, IsFoundByCheckWithEveryOther) {
  damage();
  write_text(picture(3), "no picture");
  const auto found = run_gen({"check", "--data", "--config", (folder / "c.json").string()});
  EXPECT_EQ(found.exit_code, 3) << found.err;
  EXPECT_NE(found.out.find("03.png"), std::string::npos) << found.out;
  EXPECT_NE(found.out.find("07.png"), std::string::npos) << found.out;
  EXPECT_NE(found.out.find("train: 16 examples, 2 cannot be read\n"), std::string::npos) << found.out;
}

}  // namespace
}  // namespace gen::test
