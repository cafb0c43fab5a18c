#include "gen/ops/attention.h"

#include <torch/torch.h>

#include "gen/core/error.h"
#include "support/support.h"

namespace gen {
namespace {

TEST(Attention, MatchesTheDefinitionInFloat64) {
  torch::manual_seed(0);
  for (const int64_t D : {1, 8, 40}) {
    const auto q = torch::randn({2, 3, 5, D}), k = torch::randn({2, 3, 7, D}), v = torch::randn({2, 3, 7, D});
    const auto plain = [&](double scale) {
      const auto score = at::matmul(q.to(at::kDouble), k.to(at::kDouble).transpose(2, 3)) * scale;
      return at::matmul(score.softmax(3), v.to(at::kDouble));
    };
    EXPECT_LT(test::max_abs_diff(ops::attention(q, k, v), plain(1 / std::sqrt(static_cast<double>(D)))), 1e-5)
        << D;
    EXPECT_LT(test::max_abs_diff(ops::attention(q, k, v, 0.25), plain(0.25)), 1e-5) << D;
  }
}

TEST(Attention, NamesTheShapesThatDoNotFit) {
  const auto q = at::zeros({1, 2, 3, 4});
  EXPECT_THROW(ops::attention(q, at::zeros({1, 2, 3, 5}), at::zeros({1, 2, 3, 5})), ShapeError);
  EXPECT_THROW(ops::attention(q, at::zeros({1, 2, 3, 4}), at::zeros({1, 2, 2, 4})), ShapeError);
}

}  // namespace
}  // namespace gen
