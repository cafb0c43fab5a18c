#include <torch/torch.h>

#include "gen/core/error.h"
#include "gen/nn/network.h"
#include "support/support.h"

namespace gen {
namespace {

torch::nn::Linear small_linear() { return torch::nn::Linear(2, 3); }

TEST(LoadState, CopiesEveryTensorByName) {
  auto from = small_linear(), to = small_linear();
  load_state(*to, state_of(*from), "a.safetensors");
  EXPECT_EQ(test::max_abs_diff(from->weight, to->weight), 0);
  EXPECT_EQ(test::max_abs_diff(from->bias, to->bias), 0);
  EXPECT_FALSE(to->weight.is_alias_of(from->weight));
}

TEST(LoadState, StateSharesMemoryWithTheModule) {
  auto linear = small_linear();
  EXPECT_TRUE(state_of(*linear).at("weight").is_alias_of(linear->weight));
}

TEST(LoadState, NamesEveryMistakeInOneError) {
  auto linear = small_linear();
  TensorMap tensors = state_of(*linear);
  const auto before = linear->weight.detach().clone();
  tensors["weight"] = at::zeros({3, 3});
  tensors["other"] = at::zeros({1});
  tensors.erase("bias");
  try {
    load_state(*linear, tensors, "a.safetensors");
    FAIL() << "expected a DataError";
  } catch (const DataError& error) {
    EXPECT_STREQ(error.what(),
                 "a.safetensors: its tensors are not those of this network\n  1 missing:\n    bias\n"
                 "  1 unexpected:\n    other\n"
                 "  1 of another shape or type:\n    weight: expected shape [3, 2], got [3, 3]");
  }
  EXPECT_EQ(test::max_abs_diff(linear->weight, before), 0) << "a refused load changed the weights";
}

TEST(LoadState, RefusesIntegersForWeights) {
  auto linear = small_linear();
  TensorMap tensors = state_of(*linear);
  tensors["bias"] = at::zeros({3}, at::kLong);
  EXPECT_THROW(load_state(*linear, tensors, "a"), DataError);
}

}  // namespace
}  // namespace gen
