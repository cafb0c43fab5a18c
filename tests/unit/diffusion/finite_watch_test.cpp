#include "gen/diffusion/finite_watch.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

namespace gen {
namespace {

// Row i is not finite from call i on; row 0 always is.
class BreakingDenoiser final : public Denoiser {
 public:
  at::Tensor operator()(const at::Tensor& x, double) override {
    auto x0 = x.clone();
    ++calls_;
    for (int64_t i = 1; i < x.size(0); ++i)
      if (calls_ >= i) x0[i][0] = i % 2 == 0 ? NAN : INFINITY;
    return x0;
  }

 private:
  int64_t calls_ = 0;
};

TEST(FiniteWatch, TellsTheFirstCallThatBrokeEachRow) {
  BreakingDenoiser inner;
  FiniteWatch watch(inner);
  const auto x = torch::zeros({4, 3});
  for (const double t : {30.0, 20.0, 10.0}) watch(x, t);
  EXPECT_TRUE(at::equal(watch.first_bad_call(), torch::tensor({0, 1, 2, 3}, at::kLong)));
  EXPECT_EQ(watch.times(), (std::vector<double>{30, 20, 10}));
}

}  // namespace
}  // namespace gen
