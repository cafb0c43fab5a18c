// For every registered model: N + N steps with a new process's state in between equal 2N steps, bit for bit.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "gen/config/load.h"
#include "gen/io/checkpoint.h"
#include "gen/io/run_dir.h"
#include "gen/models/model.h"
#include "gen/train/trainer.h"
#include "support/support.h"

namespace gen {
namespace {

/// What keeps a family's model small enough to train a few steps at once; a type without an entry is tested
/// with its own defaults.
Json small_model(const std::string& type) {
  static const std::map<std::string, Json> small{
      {"vae", Json::parse(R"({"latent_dim": 4})")},
      {"flow", Json::parse(R"({"architecture": {"type": "sequence", "bijectors": [{"type": "actnorm"},
          {"type": "affine_coupling"}, {"type": "permutation"}, {"type": "batch_norm"},
          {"type": "affine_coupling", "swap": true}, {"type": "batch_norm"}]}})")},
      {"diffusion",
       Json::parse(R"({"network": {"type": "unet2d", "block_out_channels": [8, 16], "layers_per_block": 1,
          "norm_num_groups": 4, "down_block_types": ["DownBlock2D", "DownBlock2D"],
          "up_block_types": ["UpBlock2D", "UpBlock2D"]}})")},
  };
  const auto found = small.find(type);
  Json model = found == small.end() ? Json::object() : found->second;
  model["type"] = type;
  return model;
}

ExperimentOptions experiment_of(const std::string& type) {
  Json config;
  config["name"] = type;
  config["device"] = "cpu";
  config["model"] = small_model(type);
  config["data"] = type == "flow"
                       ? Json::parse(R"({"type": "toy2d", "num_examples": 200, "num_held_out": 40})")
                       : Json::parse(R"({"type": "shapes", "size": 8, "channels": 1, "num_examples": 50,
                                                    "num_held_out": 16})");
  config["train"] =
      Json::parse(R"({"steps": 6, "batch_size": 8, "gradient_accumulation": 2, "ema": {"decay": 0.9},
      "clip_grad_norm": 1, "lr_schedule": {"type": "cosine", "warmup_steps": 2}, "checkpoint_every": 3,
      "log_every": 2, "validate_every": 2, "validation_batches": 1, "keep_last": 4, "sample_count": 0})");
  Issues issues;
  ExperimentOptions experiment;
  load(Document::from_json(config, "test"), experiment, issues);
  issues.throw_if_any();
  return experiment;
}

void expect_equal(const std::filesystem::path& a, const std::filesystem::path& b, int64_t step) {
  const auto first = list_checkpoints(a / "checkpoints").front(),
             second = list_checkpoints(b / "checkpoints").front();
  ASSERT_EQ(first.step, step);
  ASSERT_EQ(second.step, step);
  for (const char* name : {"model", "ema", "optimizer"}) {
    const auto file = std::string(name) + ".safetensors";
    EXPECT_EQ(test::read_text(first.folder / file), test::read_text(second.folder / file)) << file;
  }
  const std::string metrics = test::read_text(a / "metrics.jsonl");
  EXPECT_EQ(metrics, test::read_text(b / "metrics.jsonl"));
  EXPECT_NE(metrics.find("\"split\":\"validation\""), std::string::npos);
}

class Resume : public ::testing::TestWithParam<std::string> {};

TEST_P(Resume, ThreeStepsAndThreeMoreEqualSix) {
  const test::TempDir temp;
  auto experiment = experiment_of(GetParam());
  train(experiment, RunDir::open_for_training(temp / "whole", RunMode::create));

  // The steps after the checkpoint of step 3 are lost, as by a kill: their lines of metrics.jsonl are still
  // there.
  train(experiment, RunDir::open_for_training(temp / "parts", RunMode::create));
  std::filesystem::remove_all(temp / "parts" / "checkpoints");
  std::filesystem::create_directories(temp / "parts" / "checkpoints");
  for (const auto& each : list_checkpoints(temp / "whole" / "checkpoints"))
    if (each.step <= 3)
      std::filesystem::copy(each.folder, temp / "parts" / "checkpoints" / each.folder.filename().string());
  experiment.train.data_workers = 3;
  const auto result = train(experiment, RunDir::open_for_training(temp / "parts", RunMode::resume));
  EXPECT_EQ(result.step, 6);
  expect_equal(temp / "whole", temp / "parts", 6);
}

TEST_P(Resume, LoadedRunHasTheAveragedWeightsOrTheRawOnes) {
  const test::TempDir temp;
  train(experiment_of(GetParam()), RunDir::open_for_training(temp / "run", RunMode::create));
  const auto newest = list_checkpoints(temp / "run" / "checkpoints").front();
  for (const bool raw : {false, true}) {
    const LoadedRun run = load_run(temp / "run", "cpu", {.raw = raw, .checkpoint = ""});
    EXPECT_EQ(run.ema, !raw);
    EXPECT_EQ(run.step, 6);
    const TensorMap expected = load_checkpoint_tensors(newest, raw ? "model" : "ema");
    for (const auto& item : run.model->module().named_parameters())
      EXPECT_TRUE(torch::equal(item.value(), expected.at(item.key()))) << item.key();
    for (const auto& item : run.model->module().named_buffers())
      EXPECT_TRUE(torch::equal(item.value(), expected.at(item.key()))) << item.key();
  }
}

INSTANTIATE_TEST_SUITE_P(EveryModel, Resume, ::testing::ValuesIn(models().types()),
                         [](const auto& each) { return each.param; });

}  // namespace
}  // namespace gen
