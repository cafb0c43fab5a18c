#include "gen/core/finite.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

namespace gen {
namespace {

TEST(NonFiniteRows, AreThoseWithANanOrAnInfinity) {
  auto x = torch::full({4, 2, 3}, 3e38F);  // whose sum would overflow
  x[1][0][2] = NAN;
  x[3][1][0] = -INFINITY;
  EXPECT_EQ(rows_of(non_finite_rows(x)), (std::vector<int64_t>{1, 3}));
  EXPECT_EQ(rows_of(non_finite_rows(x.select(2, 2).select(1, 0))), (std::vector<int64_t>{1}));
  EXPECT_EQ(rows_of(non_finite_rows(torch::tensor(NAN))), (std::vector<int64_t>{0}));
  EXPECT_TRUE(rows_of(non_finite_rows(torch::ones({3}, at::kLong))).empty());
  EXPECT_EQ(rows_of(non_finite_rows(torch::tensor({1.0F, NAN}).to(at::kFloat8_e4m3fn))),
            (std::vector<int64_t>{1}));
  EXPECT_TRUE(rows_of(non_finite_rows(torch::ones({0, 3}))).empty());
}

TEST(FirstFew, AreAtMostEight) {
  EXPECT_EQ(first_few({4, 7}), "4, 7");
  EXPECT_EQ(first_few({0, 1, 2, 3, 4, 5, 6, 7, 8}), "0, 1, 2, 3, 4, 5, 6, 7, ...");
}

}  // namespace
}  // namespace gen
