#include "metrics/image_similarity.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "gen/core/error.h"
#include "gen/core/rng.h"
#include "support/support.h"

namespace gen {
namespace {

// The images of tests/golden/ssim.py, [1, C, H, W].
std::pair<at::Tensor, at::Tensor> images(int64_t channels, int64_t height, int64_t width) {
  const auto c = at::arange(channels, at::kDouble).view({1, -1, 1, 1});
  const auto i = at::arange(height, at::kDouble).view({1, 1, -1, 1});
  const auto j = at::arange(width, at::kDouble).view({1, 1, 1, -1});
  const auto x = 0.5 + 0.5 * (0.37 * i + 0.61 * j + c).sin();
  return {x, 0.8 * x + 0.1 + 0.1 * (1.7 * i - 0.9 * j * c).cos()};
}

TEST(ImageSimilarity, MatchesScikitImage) {
  const auto golden = nlohmann::json::parse(std::ifstream(test::source_dir() / "tests/golden/ssim.json"));
  ASSERT_EQ(golden["cases"].size(), 3U);
  for (const auto& each : golden["cases"]) {
    const auto shape = each["shape"].get<std::vector<int64_t>>();
    const auto [x, y] = images(shape[0], shape[1], shape[2]);
    EXPECT_NEAR(ssim(x, y).item<double>(), each["ssim"].get<double>(), 1e-9) << each["shape"];
    EXPECT_NEAR(psnr(x, y).item<double>(), each["psnr"].get<double>(), 1e-9) << each["shape"];
  }
}

TEST(ImageSimilarity, OfAnImageWithItself) {
  const auto x = Rng(1).uniform({3, 2, 16, 16});
  EXPECT_LT(test::max_abs_diff(ssim(x, x), at::ones({3}, at::kDouble)), 1e-12);
  EXPECT_LT(test::max_abs_diff(psnr(x, x), at::full({3}, 100.0, at::kDouble)), 1e-9);
}

TEST(ImageSimilarity, TakesEachImageOfABatchByItself) {
  const auto [x, y] = images(1, 20, 20);
  const auto both = at::cat({x, y}), swapped = at::cat({y, 0.5 * y});
  EXPECT_NEAR(ssim(both, swapped)[0].item<double>(), ssim(x, y).item<double>(), 1e-12);
  EXPECT_NEAR(ssim(both, swapped)[1].item<double>(), ssim(y, 0.5 * y).item<double>(), 1e-12);
}

TEST(ImageSimilarity, RefusesImagesThatDoNotFit) {
  EXPECT_THROW(ssim(at::zeros({1, 1, 10, 28}), at::zeros({1, 1, 10, 28})), ShapeError);
  EXPECT_THROW(psnr(at::zeros({1, 1, 4, 4}), at::zeros({1, 1, 4, 5})), ShapeError);
}

}  // namespace
}  // namespace gen
