// What people type out of habit, and what they point gen at.
#include <nlohmann/json.hpp>

#include "gen_command.h"

namespace gen::test {
namespace {

namespace fs = std::filesystem;

std::string told(const std::vector<std::string>& arguments, int code = 2) {
  const auto result = run_gen(arguments);
  EXPECT_EQ(result.exit_code, code) << result.out << result.err;
  return result.err;
}

void expect_said(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << "no \"" << part << "\" in\n" << text;
}

constexpr const char* kTinyVae = R"({
  "model": {"type": "vae", "latent_dim": 2, "encoder": {"type": "mlp", "hidden_sizes": [8]}, "likelihood": {"type": "gaussian"}},
  "data": {"type": "toy2d", "num_examples": 100}, "train": {"steps": 1, "batch_size": 4, "sample_count": 0, "data_workers": 0}
})";

TEST(Habits, FlagsOfOtherProgramsAreAnsweredWithWhatDoesIt) {
  const TempDir folder;
  write_text(folder / "c.json", kTinyVae);
  const std::string config = folder / "c.json";
  const auto text =
      told({"train", "--config", config, "--lr", "0.1", "--batch_size=8", "--epochs", "3", "--output", "a b",
            "--latent-dim", "4", "--keep-last", "5", "--train.seed", "1", "train.steps=7", "--gpu", "1"});
  expect_said(text, "unknown flag --lr (use --set train.optimizer.lr=0.1)");
  expect_said(text, "unknown flag --batch_size (use --set train.batch_size=8)");
  expect_said(text, "unknown flag --epochs (use --set train.steps=75, which is 3 epochs of these data)");
  expect_said(text, "unknown flag --output (use --run-dir 'a b')");
  expect_said(text, "(use --set model.latent_dim=4)");
  expect_said(text, "(use --set train.keep_last=5)");
  expect_said(text, "(use --set train.seed=1)");
  expect_said(text, "did not expect \"train.steps=7\" (use --set train.steps=7)");
  expect_said(text, "unknown flag --gpu (use --device cuda:1)");
  expect_said(told({"train", config}), "did not expect \"" + config + "\" (use --config " + config + ")");
  expect_said(told({"sample", "runs/a", "--n", "4"}), "(use --run runs/a)");
  expect_said(told({"sample", "--run", "runs/a", "--n", "4"}), "(use --count 4)");
  expect_said(told({"train", "--config", "none.json", "--epoch", "3"}),
              "unknown flag --epoch (use --set train.steps=N");
  expect_said(told({"inspect", "--run", "runs/a b"}), "unknown flag --run (use gen inspect 'runs/a b')");
  expect_said(told({"forward", "--model", "m", "--in", "a", "--out", "b"}),
              "unknown flag --model (use gen forward m)");
  expect_said(told({"--quiet", "train", "--config", config}), "flags come after it, as in gen train --quiet");
}

TEST(Habits, AFlagGivenTwiceIsToldSo) {
  expect_said(told({"sample", "--run", "a", "--count", "2", "--count", "3"}),
              "--count takes one value, and is given 2 and 3");
  expect_said(told({"sample", "--run", "a", "--run", "a"}), "--run is given 2 times; give it once");
  expect_said(told({"sample", "--run", "a", "--count", "1e3"}), "got \"1e3\" (write 1000)");
}

TEST(Habits, HelpIsAVerbToo) {
  const auto result = run_gen({"help", "train"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.out, run_gen({"train", "--help"}).out);
  EXPECT_EQ(run_gen({"help"}).out, run_gen({"-h"}).out);
  expect_said(told({"TRAIN"}), "did you mean \"train\"?");
}

TEST(Habits, AConfigMayComeThroughAPipe) {
  const TempDir folder;
  write_text(folder / "c.json", kTinyVae);
  for (const char* how :
       {"cat c.json | \"$0\" check --config - --json", "\"$0\" check --config /dev/stdin --json < c.json",
        "\"$0\" check --config <(cat c.json) --json"}) {
    const auto result =
        run_command({"bash", "-c", "cd '" + folder.path().string() + "' && " + how, gen_binary().string()});
    ASSERT_EQ(result.exit_code, 0) << how << result.err;
    EXPECT_EQ(Json::parse(result.out)["config"]["name"], "vae-toy2d") << how;
  }
}

// A folder that looks like a run, for what is told before anything of it is read.
void write_run_shape(const fs::path& run) {
  fs::create_directories(run / "checkpoints/step_00000001");
  for (const char* file : {"run.json", "config.json", "checkpoints/step_00000001/manifest.json", "train.log"})
    write_text(run / file, "{}");
}

TEST(Habits, APathThatIsNoRunIsAnsweredWithWhatToType) {
  const TempDir folder;
  write_run_shape(folder / "runs/a");
  fs::create_directories(folder / "pipe/unet");
  write_text(
      folder / "pipe/model_index.json",
      R"({"_class_name": "DDIMPipeline", "unet": ["diffusers", "UNet2DModel"], "scheduler": ["diffusers", "X"]})");
  write_text(folder / "pipe/unet/config.json", R"({"_class_name": "UNet2DModel"})");
  write_text(folder / "c.json", kTinyVae);
  const std::string run = (folder / "runs/a").string();
  expect_said(told({"sample", "--run", run + "/checkpoints/step_00000001/"}),
              "a checkpoint of a run; name the run: gen sample --run " + run + " --checkpoint 1");
  for (const char* inner : {"checkpoints", "config.json", "train.log"})
    expect_said(told({"sample", "--run", run + "/" + inner}), "name the run: gen sample --run " + run);
  expect_said(told({"eval", "--run", folder / "runs"}),
              "a folder of 1 run; name one:\n    gen eval --run " + run);
  expect_said(told({"sample", "--run", folder / "c.json"}),
              "train it first: gen train --config " + (folder / "c.json").string());
  expect_said(told({"sample", "--run", folder / "pipe"}),
              "a pipeline of diffusers (DDIMPipeline), not a run of gen");
  const std::string forward = "gen forward " + (folder / "pipe/unet").string() + " --in FILE --out FILE";
  expect_said(told({"eval", "--run", folder / "pipe"}), forward);
  expect_said(told({"forward", folder / "pipe", "--in", folder / "c.json", "--out", folder / "o"}, 3),
              "not a safetensors");
  expect_said(told({"train", "--resume", "--run-dir", folder / "pipe/unet"}),
              "a network of diffusers (UNet2DModel)");
  EXPECT_NE(run_gen({"inspect", folder / "pipe"}).out.find("DDIMPipeline"), std::string::npos);
  expect_said(told({"sample", "--run", folder / "pipe/unet/config.json"}),
              "is a file of a network of diffusers");
  write_text(
      folder / "pipe/model_index.json",
      R"({"_class_name": "X", "..": ["diffusers", "UNet2DModel"], "../unet": ["diffusers", "UNet2DModel"]})");
  EXPECT_EQ(told({"sample", "--run", folder / "pipe"}).find("gen forward"), std::string::npos)
      << "a way out of the folder";
}

TEST(Habits, AFileOfAnotherProgramInThePlaceOfAConfigIsOneMistake) {
  const TempDir folder;
  write_text(folder / "scheduler_config.json",
             R"({"_class_name": "DDPMScheduler", "beta_end": 0.02, "clip_sample": true})");
  write_text(folder / "config.json", R"({"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"]})");
  for (const char* verb : {"check", "train"}) {
    const auto scheduler = told({verb, "--config", folder / "scheduler_config.json"});
    expect_said(scheduler, "expected a config of gen, got one of diffusers (DDPMScheduler)");
    EXPECT_EQ(scheduler.find("unknown key"), std::string::npos) << scheduler;
    expect_said(told({verb, "--config", folder / "config.json"}), "got one of transformers (gpt2)");
  }
  expect_said(told({"check", "--config", folder.path()}),
              "got a folder (write " + (folder / "config.json").string() + ")");
}

TEST(Habits, AMistakeInAFlagNamesTheFlagAndTheNearestWord) {
  const TempDir folder;
  write_text(folder / "c.json", kTinyVae);
  const std::string run = folder / "run";
  ASSERT_EQ(run_gen({"train", "--config", folder / "c.json", "--run-dir", run, "--quiet"}).exit_code, 0);
  expect_said(told({"eval", "--run", run, "--split", "val"}), "got \"val\" (did you mean \"validation\"?)");
  expect_said(
      told({"eval", "--run", run, "--metric", "elb"}),
      "error: gen eval: --metric: expected one of nll, bits_per_dim, elbo, reconstruction, got \"elb\"");
  expect_said(told({"sample", "--run", run, "--count", "9223372036854775807"}),
              "error: gen sample: --count: expected an integer in [1, 1000000000]");
  expect_said(told({"sample", "--run", run, "--sampler", "ddim"}),
              "error: gen sample: --sampler: expected null");
  expect_said(told({"sample", "--run", run, "--mode", "recon"}), "(did you mean \"reconstruct\"?)");
  expect_said(told({"sample", "--run", run, "--checkpoint", "epoch0001"}), "got \"epoch0001\" (write 1)");
  expect_said(told({"eval", "--run", run, "--checkpoint", "latest"}), "got \"latest\" (write last)");
}

TEST(Sizes, WhatCannotFitIsRefusedBeforeItIsTaken) {
  const TempDir folder;
  write_text(folder / "c.json", kTinyVae);
  const auto limited = [&](const std::string& rest) {
    return run_command({"sh", "-c", "ulimit -v 6000000; exec \"$0\" " + rest, gen_binary().string(),
                        folder / "c.json", folder / "run"});
  };
  const std::string huge = " --set 'model.encoder.hidden_sizes=[65536,65536]'",
                    batch = " --set train.batch_size=1000000000";
  const auto check = limited("check --config \"$1\" --json" + huge);
  EXPECT_EQ(check.exit_code, 5) << check.err;
  expect_said(check.err, "the model is too large");
  const Json report = Json::parse(check.out);
  EXPECT_FALSE(report["memory"]["fits"].get<bool>());
  EXPECT_GT(report["parameters"].get<int64_t>(), int64_t{2} << 32);
  const auto train = limited("train --config \"$1\" --run-dir \"$2\"" + huge);
  EXPECT_EQ(train.exit_code, 5) << train.err;
  expect_said(train.err, "the model is too large");
  const auto wide = limited("train --config \"$1\" --dry-run" + batch);
  EXPECT_EQ(wide.exit_code, 5) << wide.err;
  expect_said(wide.err, "train.batch_size 1000000000 is too large");
}

}  // namespace
}  // namespace gen::test
