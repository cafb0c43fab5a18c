// Every use of randomness draws its own numbers: no two of the draws below, which the program makes for the same index,
// are correlated. A new use joins uses_of_randomness().
#include <gtest/gtest.h>
#include <torch/torch.h>

#include "data/shapes/shapes.h"
#include "data/toy2d/toy2d.h"
#include "gen/data/loader.h"
#include "unit/models/vae_case.h"

namespace gen {
namespace {

constexpr int64_t kDrawsOfAUse = 2000;
constexpr uint64_t kSeedOfUses = 0;

/// Its x is the draw of its augmentation.
class AugmentationItself final : public Dataset {
 public:
  AugmentationItself() { spec_ = vae::point_spec(1); }
  const DataSpec& spec() const override { return spec_; }
  Split split() const override { return Split::train; }
  int64_t size() const override { return kDrawsOfAUse; }
  Example get(int64_t, HostRng* augmentation) const override {
    return {torch::full({1}, augmentation->uniform(), torch::kFloat), -1, ""};
  }

 private:
  DataSpec spec_;
};

at::Tensor static_thresholds(Split split) {
  const auto observation =
      vae::observation_from(R"({"type": "bernoulli", "binarization": "static"})", vae::image_spec(1, 1, 1));
  Batch batch = vae::batch_of(torch::full({kDrawsOfAUse, 1, 1, 1}, 0.5));
  batch.split = split;
  Rng unused(0);
  return observation->target(batch, unused).flatten();
}

at::Tensor first_batch_of_use(const LoaderOptions& options, bool indices) {
  const Batch batch = Loader(std::make_shared<AugmentationItself>(), options).next();
  return indices ? torch::tensor(batch.indices) : batch.x.flatten();
}

/// [kDrawsOfAUse] numbers of each use, by its name.
std::vector<std::pair<std::string, at::Tensor>> uses_of_randomness() {
  const LoaderOptions loading{.batch_size = kDrawsOfAUse, .workers = 0, .seed = kSeedOfUses};
  std::vector<std::pair<std::string, at::Tensor>> all{
      {"sample", SampleRng(kSeedOfUses, 0, kDrawsOfAUse).uniform({})},
      {"shuffle", first_batch_of_use(loading, /*indices=*/true)},
      {"augmentation", first_batch_of_use(loading, /*indices=*/false)}};
  for (const Split split : {Split::train, Split::validation, Split::test}) {
    const std::string of = std::string(" of ") + to_string(split);
    const auto shapes =
        make_shapes({.size = 8, .num_examples = kDrawsOfAUse, .num_held_out = kDrawsOfAUse}, split);
    Toy2dOptions plane;
    plane.num_examples = plane.num_held_out = kDrawsOfAUse;
    const auto toy = make_toy2d(plane, split);
    all.emplace_back("shapes" + of, read_batch(*shapes, 0, kDrawsOfAUse).label);
    all.emplace_back("toy2d" + of, read_batch(*toy, 0, kDrawsOfAUse).x.select(1, 0));
    all.emplace_back("static binarization" + of, static_thresholds(split));
  }
  return all;
}

TEST(Randomness, DrawsOfDifferentUsesAreUncorrelated) {
  const auto all = uses_of_randomness();
  std::vector<at::Tensor> rows;
  for (const auto& [name, draws] : all) rows.push_back(draws.to(torch::kDouble));
  const auto correlation = torch::corrcoef(torch::stack(rows));
  for (size_t i = 0; i < all.size(); ++i)
    for (size_t j = 0; j < i; ++j)
      EXPECT_LT(std::abs(correlation[static_cast<int64_t>(i)][static_cast<int64_t>(j)].item<double>()),
                5 / std::sqrt(static_cast<double>(kDrawsOfAUse)))
          << all[i].first << " and " << all[j].first;
}

}  // namespace
}  // namespace gen
