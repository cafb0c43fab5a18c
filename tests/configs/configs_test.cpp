// Every shipped config resolves, belongs where it lies, and builds; those without files train a step.
#include <torch/torch.h>

#include <nlohmann/json.hpp>
#include <set>

#include "gen/config/load.h"
#include "gen/train/experiment.h"
#include "gen/train/optimizer.h"
#include "gen/train/trainer.h"
#include "support/support.h"

namespace gen::test {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> shipped_configs() {
  std::vector<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(source_dir() / "configs"))
    if (entry.path().extension() == ".json")
      names.push_back(fs::relative(entry.path(), source_dir() / "configs").string());
  std::sort(names.begin(), names.end());
  return names;
}

std::string big_endian(uint32_t value) {
  std::string bytes(4, '\0');
  for (size_t i = 0; i < 4; ++i) bytes[i] = static_cast<char>(value >> (24 - 8 * i));
  return bytes;
}

// A folder as MNIST is distributed, with a few images of noise.
void write_idx(const fs::path& folder) {
  constexpr uint32_t kImages = 300, kSide = 28;
  for (const char* part : {"train", "t10k"}) {
    std::string images = big_endian(0x803) + big_endian(kImages) + big_endian(kSide) + big_endian(kSide);
    std::string labels = big_endian(0x801) + big_endian(kImages);
    HostRng rng(7);
    for (uint32_t i = 0; i < kImages * kSide * kSide; ++i) images += static_cast<char>(rng.below(256));
    for (uint32_t i = 0; i < kImages; ++i) labels += static_cast<char>(i % 10);
    write_text(folder / (std::string(part) + "-images-idx3-ubyte"), images);
    write_text(folder / (std::string(part) + "-labels-idx1-ubyte"), labels);
  }
}

class ShippedConfig : public testing::TestWithParam<std::string> {
 protected:
  // The experiment of a config, with data made up where it wants files.
  ExperimentOptions load() {
    Issues issues;
    const auto document = Document::read(path(), issues);
    issues.throw_if_any();
    const Json& root = document.root();
    std::vector<Setting> sets;
    if (root.contains("data") && root["data"].value("type", "") == "mnist") {
      write_idx(data_.path());
      sets.push_back("data.path=" + data_.path().string());
    }
    return load_experiment(path(), sets);
  }
  static fs::path path() { return source_dir() / "configs" / GetParam(); }
  TempDir data_;
};

TEST_P(ShippedConfig, ResolvesAndLiesInItsFamilysFolder) {
  const auto experiment = load();
  EXPECT_EQ(experiment.model.type, fs::path(GetParam()).begin()->string());
  EXPECT_FALSE(experiment.name.empty());
}

TEST_P(ShippedConfig, ItsDumpIsAFixedPoint) {
  const Json once = dump(load());
  const TempDir folder;
  write_text(folder / "dumped.json", once.dump());
  EXPECT_EQ(dump(load_experiment(folder / "dumped.json", {})), once);
}

TEST_P(ShippedConfig, BuildsItsModel) {
  const auto experiment = load();
  const auto spec = datasets().make(experiment.data, Split::train)->spec();
  const auto model = models().make(experiment.model, spec);
  int64_t parameters = 0;
  for (const auto& [name, count] : parameter_counts(model->module())) parameters += count;
  EXPECT_GT(parameters, 0);
  RecordProperty("parameters", std::to_string(parameters));
  std::printf("%s: %lld parameters\n", GetParam().c_str(), static_cast<long long>(parameters));
}

TEST_P(ShippedConfig, DecaysMatricesAndNeitherScalesNorShifts) {
  // A parameter of another name: say here whether it is one.
  const std::set<std::string> never{"bias", "scale", "log_scale", "loc", "log_stddev"};
  const auto experiment = load();
  const auto spec = datasets().make(experiment.data, Split::train)->spec();
  const auto model = models().make(experiment.model, spec);
  for (const auto& group : parameter_groups(model->module()))
    for (const auto& [name, parameter] : group.parameters) {
      const std::string last = name.substr(name.rfind('.') + 1);
      ASSERT_TRUE(last == "weight" || never.contains(last)) << name;
      EXPECT_EQ(group.decay, last == "weight" && parameter.dim() > 1) << name;
    }
}

/// Those whose data need no files: small enough to train a step here.
class SmallConfig : public ShippedConfig {};

TEST_P(SmallConfig, TakesAStep) {
  auto experiment = load();
  experiment.train.batch_size = 4;
  experiment.device = "cpu";
  EXPECT_TRUE(std::isfinite(dry_run(experiment)));
}

std::vector<std::string> small_configs() {
  auto names = shipped_configs();
  std::erase_if(names, [](const std::string& name) {
    const auto data =
        Json::parse(read_text(source_dir() / "configs" / name), nullptr, true, /*comments=*/true)
            .value("data", Json::object());
    const auto type = data.value("type", "shapes");
    return type != "shapes" && type != "toy2d";
  });
  return names;
}

std::string test_name(const testing::TestParamInfo<std::string>& param) {
  std::string name = param.param;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); }, '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Shipped, ShippedConfig, testing::ValuesIn(shipped_configs()), test_name);
INSTANTIATE_TEST_SUITE_P(Shipped, SmallConfig, testing::ValuesIn(small_configs()), test_name);

}  // namespace
}  // namespace gen::test
