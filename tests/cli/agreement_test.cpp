// Mistakes between the sections of a config: gen check, gen train --dry-run and gen train tell them before the first step,
// all at once, each with the pointer of the option to change.
#include <nlohmann/json.hpp>

#include "gen_command.h"

namespace gen::test {
namespace {

// A diffusion on 8 x 8 shapes, cheap to train.
constexpr const char* kDiffusion = R"({
  "model": {"type": "diffusion", "conditional": true, "noise_schedule": {"type": "linear", "num_train_timesteps": 20},
    "network": {"type": "unet2d", "block_out_channels": [4], "down_block_types": ["DownBlock2D"],
                "up_block_types": ["UpBlock2D"], "layers_per_block": 1, "norm_num_groups": 2,
                "attention_head_dim": 4}},
  "data": {"type": "shapes", "size": 8, "channels": 1, "num_examples": 16, "num_held_out": 8},
  "train": {"steps": 2, "batch_size": 4, "sample_count": 0}
})";
constexpr const char* kVae = R"({
  "model": {"type": "vae", "latent_dim": 2, "encoder": {"type": "mlp", "hidden_sizes": [8]}},
  "data": {"type": "shapes", "size": 8, "channels": 1, "num_examples": 16, "num_held_out": 8},
  "train": {"steps": 2, "batch_size": 4, "sample_count": 0}
})";

class Agreement : public testing::Test {
 protected:
  Agreement() {
    write_text(folder / "diffusion.json", kDiffusion);
    write_text(folder / "vae.json", kVae);
  }

  // What the three verbs say of a config with --set, which must be the same of each.
  std::string refusal(const std::string& config, const std::vector<std::string>& sets) {
    const auto says = [&](std::vector<std::string> arguments) {
      arguments.insert(arguments.end(), {"--config", folder / (config + ".json")});
      for (const auto& set : sets) arguments.insert(arguments.end(), {"--set", set});
      const auto result = run_gen(arguments);
      EXPECT_EQ(result.exit_code, 2) << arguments[0] << ": " << result.out << result.err;
      EXPECT_EQ(result.out, "");
      return result.err;
    };
    const auto checked = says({"check"});
    EXPECT_EQ(says({"train", "--dry-run"}), checked);
    EXPECT_EQ(says({"train", "--run-dir", folder / "run"}), checked);
    EXPECT_FALSE(std::filesystem::exists(folder / "run" / "metrics.jsonl"));
    return checked;
  }
  TempDir folder;
};

TEST_F(Agreement, EveryDisagreementIsToldAtOnce) {
  const auto text =
      refusal("diffusion", {"sample.sampler.steps=5000", "sample.temperature=0.5", "data.num_held_out=0",
                            "train.early_stop.patience=3", "train.validate_every=1", "eval.split=validation",
                            R"(eval.metrics=[{"type": "nll"}, {"type": "reconstruction"}])"});
  EXPECT_EQ(text,
            "error: --set train.early_stop.patience: /train/early_stop/patience: expected 0, never to stop "
            "early, where no examples are held out "
            "for "
            "validation (data.num_held_out holds some out), got 3\n"
            "error: --set train.validate_every: /train/validate_every: expected 0 where no examples are held "
            "out for validation "
            "(data.num_held_out holds some out), got 1\n"
            "error: --set sample.sampler.steps: /sample/sampler/steps: expected at most 20, the timesteps of "
            "the noise schedule "
            "(num_train_timesteps), got 5000\n"
            "error: --set sample.temperature: /sample/temperature: expected 1, as a diffusion starts from "
            "noise of the one size that its "
            "network "
            "has learnt, got 0.5\n"
            "error: --set eval.metrics: /eval/metrics/1: reconstruction expects a model with an encoder and "
            "a decoder, which this one "
            "lacks "
            "(leave it out, or name no metrics: then all are taken that the model can answer)\n"
            "error: --set eval.split: /eval/split: expected a split with examples, got \"validation\", for "
            "which none are held out "
            "(data.num_held_out holds some out)\n"
            "6 mistakes\n");
}

TEST_F(Agreement, OptionsOfTheNetworkAreHeldAgainstTheDataAndTheModel) {
  const auto text = refusal("diffusion", {"model.network.in_channels=3", "model.network.out_channels=2",
                                          "model.network.sample_size=16", "model.network.num_class_embeds=3",
                                          "model.network.time_embedding_type=fourier"});
  for (const char* pointer :
       {"in_channels", "out_channels", "sample_size", "num_class_embeds", "time_embedding_type"})
    EXPECT_NE(
        text.find(fmt::format("error: --set model.network.{0}: /model/network/{0}: expected ", pointer)),
        std::string::npos)
        << pointer << " in " << text;
  const auto checked = [&](const std::string& set, const std::string& other) {
    return run_gen({"check", "--config", folder / "diffusion.json", "--set", set, "--set", other}).err;
  };
  const auto unconditional = checked("model.conditional=false", "model.network.num_class_embeds=5");
  EXPECT_NE(unconditional.find(": /model/network/num_class_embeds: expected null where the model is not "
                               "conditioned on labels, got 5 (or set model.conditional to true)"),
            std::string::npos)
      << unconditional;
  const auto identity = checked("model.network.class_embed_type=identity", "seed=1");
  EXPECT_NE(identity.find(": /model/network/class_embed_type: expected null"), std::string::npos) << identity;
}

TEST_F(Agreement, AMistakeNamesTheFileThatItStandsIn) {
  write_text(folder / "base.json", kVae);
  write_text(folder / "child.json",
             R"({"extends": "base.json", "data": {"num_held_out": 0}, "eval": {"split": "validation"},
                 "sample": {"sampler": {"type": "ddim"}}, "train": {"validate_every": 1}})");
  const auto text = refusal("child", {});
  const std::string file = "error: " + (folder / "child.json").string();
  const size_t train = text.find(file + ": /train/validate_every: "),
               sample = text.find(file + ": /sample/sampler: "), eval = text.find(file + ": /eval/split: ");
  ASSERT_NE(eval, std::string::npos) << text;
  EXPECT_TRUE(train < sample && sample < eval) << "the order of the sections: " << text;
}

TEST_F(Agreement, AModelOfOnePassTakesNoSamplerAndNoPrecision) {
  const auto text = refusal("vae", {"sample.sampler.steps=5", "sample.precision=bf16"});
  EXPECT_NE(text.find("error: --set sample.sampler.steps: /sample/sampler: expected null"), std::string::npos)
      << text;
  EXPECT_NE(text.find("error: --set sample.precision: /sample/precision: expected \"fp32\""),
            std::string::npos)
      << text;
}

TEST_F(Agreement, WhatIsHardlyMeantIsAWarning) {
  const auto result = run_gen({"check", "--config", folder / "vae.json", "--set", "data.num_held_out=0",
                               "--set", "train.batch_size=32", "--set", "train.lr_schedule.warmup_steps=8"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_NE(result.err.find("/eval/split: expected a split with examples, got \"test\""), std::string::npos)
      << result.err;
  EXPECT_NE(result.err.find("each batch of 32 holds some of the 16 training examples more than once"),
            std::string::npos)
      << result.err;
  EXPECT_NE(result.err.find("still warming up at the last of the 2 steps: it comes to 25 % of its value"),
            std::string::npos)
      << result.err;
}

TEST_F(Agreement, SamplingOfAConditionalDiffusionSaysWhatItDrew) {
  const auto run = (folder / "run").string();
  ASSERT_EQ(run_gen({"train", "--config", folder / "diffusion.json", "--run-dir", run, "--quiet"}).exit_code,
            0);
  // --steps without a sampler in the config changes the model's default; labels none are given go through the classes.
  const Json drawn = json_of({"sample", "--run", run, "--steps", "3", "--count", "7", "--json"});
  EXPECT_EQ(drawn["sampler"]["type"], "ddim");
  EXPECT_EQ(drawn["evaluations"], 3);
  EXPECT_EQ(drawn["labels"], Json({0, 1, 2, 3, 4, 5, 0}));
  EXPECT_EQ(Json::parse(read_text(folder / "run" / "samples" / "sample.json"))["labels"], drawn["labels"]);
  EXPECT_EQ(
      json_of({"inspect", (folder / "run" / "samples" / "00003.png").string(), "--json"})["text"]["label"],
      "3");
  const auto refused = run_gen({"sample", "--run", run, "--steps", "21"});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_NE(refused.err.find("error: gen sample: --steps: expected at most 20"), std::string::npos)
      << refused.err;
  // The precision of samples is not that of scores.
  const std::vector<std::string> eval{"eval", "--run", run, "--metric", "nll", "--json"};
  auto in_bf16 = eval;
  in_bf16.insert(in_bf16.end(), {"--set", "sample.precision=bf16"});
  EXPECT_EQ(json_of(in_bf16)["results"], json_of(eval)["results"]);
}

}  // namespace
}  // namespace gen::test
