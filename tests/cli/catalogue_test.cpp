// gen list, describe and check.
#include <nlohmann/json.hpp>

#include "gen_command.h"

namespace gen::test {
namespace {

TEST(List, NamesEveryKindWithItsTypes) {
  const Json kinds = json_of({"list", "--json"});
  for (const char* kind :
       {"model", "data", "network", "sampler", "noise_schedule", "optimizer", "lr_schedule", "metric"}) {
    ASSERT_TRUE(kinds.contains(kind)) << kind << " of " << kinds.dump();
    EXPECT_FALSE(kinds[kind].empty()) << kind;
    for (const auto& type : kinds[kind]) EXPECT_FALSE(type["doc"].get<std::string>().empty()) << type.dump();
  }
  const auto text = run_gen({"list", "models"});
  EXPECT_NE(text.out.find("vae"), std::string::npos);
  EXPECT_EQ(text.out.find("adamw"), std::string::npos) << "only the kind asked for";
}

TEST(Describe, EveryTypeOfEveryKindHasDocumentedOptions) {
  const Json kinds = json_of({"list", "--json"});
  size_t described = 0;
  for (const char* kind : {"model", "data", "sampler"})
    for (const auto& type : kinds[kind]) {
      const Json description = json_of({"describe", kind, type["type"].get<std::string>(), "--json"});
      for (const auto& option : description["options"]) {
        EXPECT_FALSE(option["doc"].get<std::string>().empty()) << option.dump();
        EXPECT_FALSE(option["default"].get<std::string>().empty()) << option.dump();
      }
      ++described;
    }
  EXPECT_GE(described, 8u);
}

TEST(Describe, ATypeOfOneKindNeedsNoKind) {
  const auto given = run_gen({"describe", "model", "vae"});
  EXPECT_EQ(given.exit_code, 0);
  EXPECT_NE(given.out.find("latent_dim"), std::string::npos);
  EXPECT_NE(given.out.find("[1, 65536]"), std::string::npos);
  EXPECT_EQ(run_gen({"describe", "vae"}).out, given.out);
}

TEST(Describe, ConfigListsItsSections) {
  const auto text = run_gen({"describe", "config"}).out;
  for (const char* key : {"name", "seed", "model", "train.steps", "sample.count", "eval.split"})
    EXPECT_NE(text.find(key), std::string::npos) << key;
}

TEST(Check, TellsWhatTheConfigBuilds) {
  const TempDir folder;
  write_text(folder / "tiny.json", R"({
  "model": {"type": "vae", "latent_dim": 2, "encoder": {"type": "mlp", "hidden_sizes": [8]}, "likelihood": {"type": "gaussian"}},
  "data": {"type": "toy2d"}
})");
  const Json report =
      json_of({"check", "--config", folder / "tiny.json", "--json", "--set", "train.steps=7"});
  EXPECT_EQ(report["config"]["train"]["steps"], 7);
  EXPECT_EQ(report["config"]["name"], "vae-tiny");
  EXPECT_EQ(report["data"]["shape"], Json::array({2}));
  int64_t sum = 0;
  for (const auto& [name, count] : report["parameters_by_module"].items()) sum += count.get<int64_t>();
  EXPECT_EQ(report["parameters"], sum);
  const auto weights = report["memory"]["gradients_bytes"].get<int64_t>();
  EXPECT_EQ(weights, 4 * sum);
  EXPECT_GE(report["memory"]["optimizer_bytes"].get<int64_t>(), 2 * weights) << "AdamW keeps two moments";
  EXPECT_GT(report["memory"]["activation_bytes_per_example"].get<int64_t>(), 0);
}

TEST(Check, ItsResolvedConfigResolvesToItself) {
  const TempDir folder;
  write_text(folder / "a.json", R"({"model": {"type": "vae"}, "data": {"type": "shapes", "size": 8}})");
  const Json first = json_of({"check", "--config", folder / "a.json", "--json"})["config"];
  write_text(folder / "b.json", first.dump());
  EXPECT_EQ(json_of({"check", "--config", folder / "b.json", "--json"})["config"], first);
}

}  // namespace
}  // namespace gen::test
