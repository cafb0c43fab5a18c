#include "data/toy2d/toy2d.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "gen/data/loader.h"
#include "support/support.h"

namespace gen {
namespace {

class Toy2d : public testing::TestWithParam<std::pair<const char*, ToyName>> {
 protected:
  std::unique_ptr<Dataset> make(std::optional<double> noise = {}) const {
    Toy2dOptions options;
    options.name = GetParam().second;
    options.noise = noise;
    options.num_examples = 4000;
    return make_toy2d(options, Split::train);
  }
};

/// Midpoint rule for the integral of the density over [-11, 11]^2.
double mass(const Dataset& data) {
  constexpr int64_t kGrid = 352;
  const double cell = 22.0 / kGrid;
  const auto axis = (torch::arange(kGrid, torch::kDouble) + 0.5) * cell - 11;
  double sum = 0;
  for (int64_t row = 0; row < kGrid; ++row)
    sum += data.log_density(torch::stack({axis, torch::full_like(axis, axis[row].item<double>())}, 1))
               .exp()
               .sum()
               .item<double>();
  return sum * cell * cell;
}

TEST_P(Toy2d, DensityIntegratesToOne) {
  // Wide enough for the grid; a pinwheel any wider would have tails finer than its cells.
  EXPECT_NEAR(mass(*make(GetParam().second == ToyName::pinwheel ? 0.1 : 0.3)), 1, 1e-3);
}

TEST_P(Toy2d, SamplesHaveTheEntropyOfTheDensity) {
  const auto data = make();
  const auto log_p = data->log_density(read_batch(*data, 0, 4000).x);
  const double standard_error = log_p.std().item<double>() / std::sqrt(4000.0);
  EXPECT_NEAR(-log_p.mean().item<double>(), data->entropy().value(), 4.5 * standard_error + 1e-6);
}

TEST_P(Toy2d, LabelsAreBalanced) {
  const auto data = make();
  if (data->spec().num_classes == 0) return;
  const auto counts = torch::bincount(read_batch(*data, 0, 4000).label, {}, data->spec().num_classes);
  const double expected = 4000.0 / static_cast<double>(data->spec().num_classes);
  EXPECT_LT((counts - expected).abs().max().item<double>(), 5 * std::sqrt(expected));
}

INSTANTIATE_TEST_SUITE_P(All, Toy2d, testing::ValuesIn(kToyNames),
                         [](const auto& each) { return std::string(each.param.first); });

/// The entropy of the defaults in nats: ln 32, and the rest by quadrature of the same definitions in Python,
/// on grids of 300 to 600 cells, the curves as 600 equally spaced Gaussians.
struct Floor {
  ToyName name;
  double entropy;
};

TEST(Toy2dEntropy, MatchesIndependentQuadrature) {
  for (const auto& [name, expected] :
       {Floor{ToyName::eight_gaussians, 2.831578}, Floor{ToyName::circles, 3.268136},
        Floor{ToyName::rings, 2.623183}, Floor{ToyName::moons, 2.393873},
        Floor{ToyName::checkerboard, std::log(32.0)}, Floor{ToyName::swissroll, 2.669628}}) {
    Toy2dOptions options;
    options.name = name;
    EXPECT_NEAR(make_toy2d(options, Split::train)->entropy().value(), expected, 2e-5)
        << static_cast<int>(name);
  }
}

TEST(Toy2dEntropy, TwistKeepsIt) {
  Toy2dOptions options;
  options.name = ToyName::pinwheel;
  const auto data = make_toy2d(options, Split::train);
  // The twisted density itself, integrated over a grid fine enough for its tails.
  constexpr int64_t kGrid = 1300;
  const double bound = 5.2, cell = 2 * bound / kGrid;
  const auto axis = (torch::arange(kGrid, torch::kDouble) + 0.5) * cell - bound;
  double sum = 0;
  for (int64_t row = 0; row < kGrid; ++row) {
    const auto log_p =
        data->log_density(torch::stack({axis, torch::full_like(axis, axis[row].item<double>())}, 1));
    sum -= (log_p * log_p.exp()).sum().item<double>();
  }
  EXPECT_NEAR(sum * cell * cell, data->entropy().value(), 1e-3);
}

TEST(Toy2dCheckerboard, HasNoMassOnLightSquares) {
  Toy2dOptions options;
  options.name = ToyName::checkerboard;
  const auto data = make_toy2d(options, Split::train);
  const auto log_p = data->log_density(torch::tensor({{-3.0, -3.0}, {-3.0, -1.0}, {5.0, 0.0}}));
  EXPECT_NEAR(log_p[0].item<double>(), -std::log(32.0), 1e-12);
  EXPECT_TRUE(std::isinf(log_p[1].item<double>()));
  EXPECT_TRUE(std::isinf(log_p[2].item<double>()));
}

}  // namespace
}  // namespace gen
