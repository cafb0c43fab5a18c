// Train, sample and score with the real binary, on data that need no files.
#include <nlohmann/json.hpp>

#include "gen/io/image.h"
#include "gen/io/safetensors.h"
#include "gen_command.h"

namespace gen::test {
namespace {

namespace fs = std::filesystem;

constexpr const char* kShapes = R"({
  "model": {"type": "vae", "latent_dim": 2, "encoder": {"type": "mlp", "hidden_sizes": [16]}},
  "data": {"type": "shapes", "size": 8, "channels": 1, "num_examples": 64, "num_held_out": 16},
  "train": {"steps": 4, "batch_size": 8, "sample_count": 4, "ema": {"decay": 0.9}}
})";
constexpr const char* kToy = R"({
  "model": {"type": "flow", "architecture": {"type": "realnvp", "couplings": 2, "network": {"type": "mlp", "hidden_sizes": [8]}}},
  "data": {"type": "toy2d", "num_examples": 200, "num_held_out": 64},
  "train": {"steps": 3, "batch_size": 16, "sample_count": 16}
})";

// Two trained runs, shared by the tests.
class Workflow : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder = std::make_unique<TempDir>();
    write_text(*folder / "shapes.json", kShapes);
    write_text(*folder / "toy.json", kToy);
    for (const char* name : {"shapes", "toy"})
      trained[name] = run_gen(
          {"train", "--config", *folder / (std::string(name) + ".json"), "--run-dir", run(name), "--quiet"});
  }
  static void TearDownTestSuite() { folder.reset(); }
  static std::string run(const std::string& name) { return (*folder / ("run-" + name)).string(); }

  static std::unique_ptr<TempDir> folder;
  static std::map<std::string, CommandResult> trained;
};
std::unique_ptr<TempDir> Workflow::folder;
std::map<std::string, CommandResult> Workflow::trained;

TEST_F(Workflow, TrainTellsTheRunThePictureAndWhatIsNext) {
  const auto& result = trained["shapes"];
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.err, "") << "--quiet";
  EXPECT_NE(result.out.find("done at step 4: " + run("shapes")), std::string::npos) << result.out;
  EXPECT_NE(result.out.find("picture: " + run("shapes") + "/samples/step_00000004.png"), std::string::npos)
      << result.out;
  EXPECT_NE(result.out.find("gen sample --run " + run("shapes")), std::string::npos) << result.out;
}

TEST_F(Workflow, SampleReconstructsAndInterpolatesHeldOutExamples) {
  const auto pictures = [&](const std::string& mode, const std::string& count) {
    const auto out = (*folder / ("out-" + mode)).string();
    const auto result =
        run_gen({"sample", "--run", run("shapes"), "--mode", mode, "--count", count, "--out", out});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    std::vector<at::Tensor> list;
    for (int64_t i = 0; fs::exists(fs::path(out) / fmt::format("{:05}.png", i)); ++i)
      list.push_back(to_tensor(read_image(fs::path(out) / fmt::format("{:05}.png", i))));
    return list;
  };
  const auto pairs = pictures("reconstruct", "4"), row = pictures("interpolate", "8");
  ASSERT_EQ(pairs.size(), 4);
  ASSERT_EQ(row.size(), 8);
  // The ends of the row are the reconstructions of examples 0 and 1.
  EXPECT_TRUE(at::equal(row.front(), pairs[1]));
  EXPECT_TRUE(at::equal(row.back(), pairs[3]));
  EXPECT_FALSE(at::equal(pairs[0], pairs[2]));
  const auto refused = run_gen({"sample", "--run", run("toy"), "--mode", "interpolate"});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_NE(refused.err.find("asks for an autoencoder, which a model of type flow is not"), std::string::npos)
      << refused.err;
}

TEST_F(Workflow, AFolderWithARunIsRefusedUnlessToldHow) {
  const std::vector<std::string> again{"train",     "--config",    *folder / "shapes.json",
                                       "--run-dir", run("shapes"), "--quiet"};
  const auto refused = run_gen(again);
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_NE(refused.err.find("--resume"), std::string::npos) << refused.err;
  EXPECT_NE(refused.err.find("--overwrite"), std::string::npos) << refused.err;
  const auto resumed = run_gen({"train", "--run-dir", run("shapes"), "--resume", "--quiet"});
  EXPECT_EQ(resumed.exit_code, 0) << resumed.err;
}

TEST_F(Workflow, AnOverwriteThatCannotBeginLeavesTheRun) {
  const Json before = json_of({"inspect", run("toy"), "--json"});
  const auto refused =
      run_gen({"train", "--config", *folder / "toy.json", "--run-dir", run("toy"), "--overwrite", "--quiet",
               "--set", R"(eval.metrics=[{"type": "reconstruction"}])"});
  EXPECT_EQ(refused.exit_code, 2) << refused.err;
  EXPECT_EQ(json_of({"inspect", run("toy"), "--json"}), before);
}

TEST_F(Workflow, SamplesDoNotDependOnTheBatchSize) {
  const auto one = *folder / "one", three = *folder / "three";
  for (const auto& [out, batch] : {std::pair{one, "1"}, std::pair{three, "3"}}) {
    const auto result = run_gen({"sample", "--run", run("shapes"), "--count", "4", "--batch-size", batch,
                                 "--seed", "5", "--out", out});
    ASSERT_EQ(result.exit_code, 0) << result.err;
  }
  for (const char* file : {"grid.png", "00000.png", "00001.png", "00002.png", "00003.png"}) {
    ASSERT_TRUE(fs::exists(one / file)) << file;
    EXPECT_EQ(read_text(one / file), read_text(three / file)) << file;
  }
  EXPECT_NE(to_tensor(read_image(one / "00000.png")).equal(to_tensor(read_image(one / "00001.png"))), true);
}

TEST_F(Workflow, PicturesSayWhereTheyCameFrom) {
  const auto out = (*folder / "traced").string();
  const Json document =
      json_of({"sample", "--run", run("shapes"), "--count", "2", "--seed", "9", "--out", out, "--json"});
  EXPECT_EQ(document["seed"], 9);
  EXPECT_EQ(document["checkpoint_step"], 4);
  EXPECT_EQ(document["weights"], "ema");
  EXPECT_EQ(document["files"].size(), 3u);
  const Json found = json_of({"inspect", out + "/00001.png", "--json"});
  EXPECT_EQ(found["text"]["seed"], "9");
  EXPECT_EQ(found["text"]["index"], "1");
  EXPECT_EQ(found["text"]["config_hash"], document["config_hash"]);
  EXPECT_EQ(document["config_hash"].get<std::string>().size(), 16u);
  const Json raw =
      json_of({"sample", "--run", run("shapes"), "--count", "1", "--raw", "--out", out, "--json"});
  EXPECT_EQ(raw["weights"], "raw");
}

TEST_F(Workflow, PointsBecomeAScatterPlotAndAnArray) {
  const auto out = *folder / "points";
  const auto result = run_gen({"sample", "--run", run("toy"), "--count", "10", "--out", out.string()});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(read_image(out / "scatter.png").width, 512);
  EXPECT_EQ(read_text(out / "samples.npy").size(), 128u + 10 * 2 * 4);
  ASSERT_EQ(
      run_gen({"sample", "--run", run("toy"), "--count", "10", "--format", "csv", "--out", out.string()})
          .exit_code,
      0);
  const auto csv = read_text(out / "samples.csv");
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 10);
}

// Writes `text` in the place of a sample and expects gen sample to leave it there, whatever else it is told to do.
void expect_left_alone(const fs::path& file, std::vector<std::string> command) {
  write_text(file, "mine");
  const auto refused = run_gen(command);
  EXPECT_EQ(refused.exit_code, 2) << refused.out;
  EXPECT_NE(refused.err.find(file.string()), std::string::npos) << refused.err;
  EXPECT_EQ(read_text(file), "mine");
  command.push_back("--overwrite");
  const auto told = run_gen(command);
  EXPECT_EQ(told.exit_code, 0) << told.err;
  EXPECT_NE(read_text(file), "mine");
}

TEST_F(Workflow, ADrawReplacesTheOneBeforeAndNoFileOfOthers) {
  const auto out = *folder / "owned";
  const std::vector<std::string> draw{"sample",     "--run",   run("shapes"), "--out",
                                      out.string(), "--quiet", "--count"};
  const auto command = [&](const char* count) {
    auto all = draw;
    all.push_back(count);
    return all;
  };
  fs::create_directory(out);
  write_text(out / "00003.png", "a picture of somebody's");
  EXPECT_EQ(run_gen(command("4")).exit_code, 2);
  EXPECT_FALSE(fs::exists(out / "00000.png")) << "refused before anything is drawn";
  EXPECT_EQ(run_gen(command("3")).exit_code, 0);
  EXPECT_EQ(run_gen(command("2")).exit_code, 0);
  EXPECT_TRUE(fs::exists(out / "00001.png"));
  EXPECT_FALSE(fs::exists(out / "00002.png")) << "of the larger draw before";
  EXPECT_EQ(read_text(out / "00003.png"), "a picture of somebody's");
  expect_left_alone(out / "00001.png", command("2"));
  expect_left_alone(out / "sample.json", command("2"));
  auto other = command("2");
  other[2] = run("toy");
  const auto refused = run_gen(other);
  EXPECT_EQ(refused.exit_code, 2) << "the folder belongs to another run";
  EXPECT_NE(refused.err.find("of another run"), std::string::npos) << refused.err;
}

TEST_F(Workflow, ADrawThatWasCutShortIsReplacedByTheNext) {
  const auto out = *folder / "cut";
  ASSERT_EQ(run_gen({"sample", "--run", run("shapes"), "--count", "3", "--out", out.string()}).exit_code, 0);
  Json state = Json::parse(read_text(out / "sample.json"));  // as it is while the pictures are written
  state.erase("manifest");
  state["planned"] = {"grid.png", "00000.png", "00001.png", "00002.png", "../shapes.json"};
  write_text(out / "sample.json", state.dump());
  fs::remove(out / "grid.png");
  write_text(out / "notes.txt", "mine");
  ASSERT_EQ(run_gen({"sample", "--run", run("shapes"), "--count", "1", "--out", out.string()}).exit_code, 0);
  EXPECT_FALSE(fs::exists(out / "00002.png"));
  EXPECT_TRUE(fs::exists(out / "notes.txt"));
  EXPECT_TRUE(fs::exists(*folder / "shapes.json"));
}

TEST_F(Workflow, ScoresReplaceNothingButScores) {
  const fs::path file = fs::path(run("toy")) / "eval" / "validation-2.json";
  fs::create_directories(file.parent_path());
  write_text(file, "[1]");
  const std::vector<std::string> command{"eval",       "--run",   run("toy"), "--split",
                                         "validation", "--limit", "2",        "--quiet"};
  EXPECT_EQ(run_gen(command).exit_code, 2);
  EXPECT_EQ(read_text(file), "[1]");
  fs::remove(file);
  EXPECT_EQ(run_gen(command).exit_code, 0);
  EXPECT_EQ(run_gen(command).exit_code, 0);
}

TEST_F(Workflow, ForwardReplacesNothingButItsOwnOutput) {
  const auto in = *folder / "in.safetensors", out = *folder / "out.safetensors";
  write_safetensors(in, {{"sample", at::zeros({2, 2})}, {"timestep", at::zeros({2}, at::kLong)}});
  write_text(*folder / "toy-diffusion.json", R"({"model": {"type": "diffusion", "network": {"type": "mlp"}},
    "data": {"type": "toy2d"}, "train": {"steps": 1, "batch_size": 4, "sample_count": 0}})");
  const auto model = run("toy-diffusion");
  ASSERT_EQ(
      run_gen({"train", "--config", *folder / "toy-diffusion.json", "--run-dir", model, "--quiet"}).exit_code,
      0);
  const auto bytes = read_text(in);
  const auto over_input = run_gen({"forward", model, "--in", in, "--out", in, "--overwrite"});
  EXPECT_EQ(over_input.exit_code, 2) << over_input.err;
  EXPECT_EQ(read_text(in), bytes);
  write_text(out, "mine");
  EXPECT_EQ(run_gen({"forward", model, "--in", in, "--out", out}).exit_code, 2);
  EXPECT_EQ(read_text(out), "mine");
  EXPECT_EQ(run_gen({"forward", model, "--in", in, "--out", out, "--overwrite"}).exit_code, 0);
  const auto again = run_gen({"forward", model, "--in", in, "--out", out});
  EXPECT_EQ(again.exit_code, 0) << again.err;
}

TEST_F(Workflow, EvalPrintsAndKeepsItsProtocol) {
  const Json toy = json_of({"eval", "--run", run("toy"), "--json", "--limit", "32", "--quiet"});
  EXPECT_EQ(toy["examples"], 32);
  EXPECT_EQ(toy["split"], "test");
  ASSERT_FALSE(toy["results"].empty());
  EXPECT_TRUE(toy["results"][0]["protocol"].is_object());
  EXPECT_EQ(toy["split_examples"], 64);
  EXPECT_EQ(toy["subset"], "a fixed random 32 of 64");
  EXPECT_EQ(Json::parse(read_text(run("toy") + "/eval/test-32.json")), toy);
  const auto text = run_gen({"eval", "--run", run("shapes"), "--split", "validation", "--quiet"});
  EXPECT_EQ(text.exit_code, 0) << text.err;
  EXPECT_NE(text.out.find("elbo"), std::string::npos) << text.out;
  EXPECT_TRUE(fs::exists(run("shapes") + "/eval/validation.json"));
}

TEST_F(Workflow, ScoresOfLessThanTheWholeLeaveTheWholeOnesAlone) {
  const fs::path eval = fs::path(run("shapes")) / "eval";
  const Json whole = json_of({"eval", "--run", run("shapes"), "--json", "--quiet"});
  EXPECT_EQ(whole["examples"], whole["split_examples"]);
  const std::vector<std::pair<std::vector<std::string>, const char*>> less{
      {{"--limit", "4"}, "test-4.json"},
      {{"--raw"}, "test-raw.json"},
      {{"--metric", "elbo"}, "test-elbo.json"},
      {{"--set", "eval.limit=3", "--raw", "--metric", "elbo", "--metric", "nll"},
       "test-3-raw-elbo-nll.json"}};
  for (const auto& [flags, file] : less) {
    std::vector<std::string> arguments{"eval", "--run", run("shapes"), "--json", "--quiet"};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    EXPECT_EQ(json_of(arguments), Json::parse(read_text(eval / file))) << file;
  }
  EXPECT_EQ(Json::parse(read_text(eval / "test.json")), whole);
  // As many as there are is the whole.
  json_of({"eval", "--run", run("shapes"), "--json", "--quiet", "--limit", "1000"});
  EXPECT_FALSE(fs::exists(eval / "test-1000.json"));
  const auto text = run_gen({"eval", "--run", run("shapes"), "--limit", "4", "--quiet"});
  EXPECT_NE(text.out.find("test split, a fixed random 4 of 16 examples"), std::string::npos) << text.out;
}

TEST_F(Workflow, SampleTellsTheSamplerThatTheModelChose) {
  const auto out = (*folder / "out-default").string();
  write_text(*folder / "diffusion.json", R"({
    "model": {"type": "diffusion", "network": {"type": "mlp", "hidden_size": 8, "num_layers": 1},
              "noise_schedule": {"type": "linear", "num_train_timesteps": 20}},
    "data": {"type": "toy2d", "num_examples": 64}, "train": {"steps": 1, "batch_size": 8, "sample_count": 0}})");
  ASSERT_EQ(
      run_gen({"train", "--config", *folder / "diffusion.json", "--run-dir", run("diffusion"), "--quiet"})
          .exit_code,
      0);
  const std::vector<std::string> sample{"sample", "--run", run("diffusion"), "--count", "2",
                                        "--out",  out,     "--json"};
  const Json chosen = json_of(sample);
  EXPECT_EQ(chosen["sampler"]["type"], "ddim");
  EXPECT_EQ(chosen["sampler"]["steps"], 20) << "as many as the schedule has";
  EXPECT_EQ(chosen["sampler"]["eta"], 0.0);
  EXPECT_EQ(chosen["precision"], "fp32");
  auto named = sample;
  named.insert(named.end(), {"--sampler", "ddim", "--steps", "20"});
  EXPECT_EQ(json_of(named)["sampler"], chosen["sampler"]);
  const auto other = (*folder / "out-none").string();
  EXPECT_TRUE(json_of({"sample", "--run", run("shapes"), "--count", "1", "--out", other, "--json"})["sampler"]
                  .is_null());
}

TEST_F(Workflow, AMetricTheModelCannotAnswerIsRefused) {
  const std::string expected =
      ": reconstruction expects a model with an encoder and a decoder, which this one lacks";
  for (const auto& arguments :
       {std::vector<std::string>{"eval", "--run", run("toy"), "--metric", "reconstruction"},
        {"check", "--config", *folder / "toy.json", "--set", R"(eval.metrics=[{"type": "reconstruction"}])"},
        {"train", "--config", *folder / "toy.json", "--run-dir", *folder / "unscorable", "--set",
         R"(eval.metrics=[{"type": "reconstruction"}])"}}) {
    const auto result = run_gen(arguments);
    EXPECT_EQ(result.exit_code, 2) << arguments.front();
    EXPECT_NE(result.err.find(expected), std::string::npos) << result.err;
  }
}

TEST_F(Workflow, ASplitWithoutExamplesIsRefused) {
  const std::vector<std::string> none{"--set", "data.num_held_out=0"};
  for (auto arguments : {std::vector<std::string>{"eval", "--run", run("shapes"), "--split", "validation"},
                         {"sample", "--run", run("shapes"), "--mode", "reconstruct"}}) {
    arguments.insert(arguments.end(), none.begin(), none.end());
    const auto result = run_gen(arguments);
    EXPECT_EQ(result.exit_code, 2) << arguments.front();
    EXPECT_NE(result.err.find("nothing was held out as the "), std::string::npos) << result.err;
  }
}

TEST_F(Workflow, ScoresThatCannotBeKeptAreStillPrinted) {
  const fs::path eval = fs::path(run("toy")) / "eval", aside = *folder / "aside";
  fs::rename(eval, aside);
  write_text(eval, "a file where the folder should be");
  const auto result = run_gen({"eval", "--run", run("toy"), "--limit", "8", "--quiet"});
  EXPECT_EQ(result.exit_code, 6) << result.err;
  EXPECT_NE(result.out.find("nll"), std::string::npos) << result.out;
  fs::remove(eval);
  fs::rename(aside, eval);
}

TEST_F(Workflow, InspectTellsRunsCheckpointsConfigsAndTornFiles) {
  const Json found = json_of({"inspect", run("shapes"), "--json"});
  EXPECT_EQ(found["kind"], "run");
  EXPECT_EQ(found["status"], "done");
  EXPECT_EQ(found["model"], "vae");
  ASSERT_FALSE(found["checkpoints"].empty());
  const std::string checkpoint = found["checkpoints"][0]["folder"].get<std::string>();
  EXPECT_EQ(json_of({"inspect", checkpoint, "--json"})["step"], 4);
  const Json weights = json_of({"inspect", checkpoint + "/model.safetensors", "--json"});
  EXPECT_FALSE(weights["tensors"].empty());

  const auto commented = *folder / "commented.json";
  write_text(commented, std::string("// tiny\n") + kToy);
  EXPECT_EQ(json_of({"inspect", commented.string(), "--json"})["model"], "flow");

  const auto torn = *folder / "torn.safetensors", whole = fs::path(checkpoint) / "model.safetensors";
  const auto bytes = read_text(whole);
  write_text(torn, bytes.substr(0, bytes.size() - 1));
  const auto result = run_gen({"inspect", torn.string()});
  EXPECT_EQ(result.exit_code, 3) << result.err;
  EXPECT_NE(result.err.find("torn.safetensors"), std::string::npos);
}

TEST_F(Workflow, ADryRunWritesNothing) {
  const auto target = *folder / "never";
  const Json result = json_of(
      {"train", "--config", *folder / "toy.json", "--run-dir", target.string(), "--dry-run", "--json"});
  EXPECT_TRUE(result["loss"].is_number());
  EXPECT_FALSE(fs::exists(target));
}

TEST_F(Workflow, ADivergingRunIsExit4AndASignalIs75) {
  const auto diverged =
      run_gen({"train", "--config", *folder / "toy.json", "--run-dir", *folder / "diverged", "--quiet",
               "--set", R"(train.optimizer={"type": "sgd", "lr": 1e30})", "--set", "train.steps=50"});
  EXPECT_EQ(diverged.exit_code, 4) << diverged.err;
  const auto stopped = run_command({"timeout", "--preserve-status", "-s", "TERM", "2", gen_binary(), "train",
                                    "--config", *folder / "toy.json", "--run-dir", *folder / "stopped",
                                    "--quiet", "--set", "train.steps=100000000"});
  EXPECT_EQ(stopped.exit_code, 75) << stopped.err;
  EXPECT_NE(stopped.out.find("--resume"), std::string::npos) << stopped.out;
}

}  // namespace
}  // namespace gen::test
