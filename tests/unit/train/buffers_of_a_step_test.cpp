#include "train/buffers_of_a_step.h"

#include <gtest/gtest.h>

namespace gen {
namespace {

TEST(BuffersOfAStep, AStepThatEndsHalfwayLeavesTheBuffersAsTheyWere) {
  torch::nn::BatchNorm1d norm(2);
  const auto before = norm->running_mean.clone();
  {
    const BuffersOfAStep buffers(*norm, true);
    norm->forward(torch::ones({4, 2}));
    EXPECT_FALSE(torch::equal(norm->running_mean, before));
  }
  EXPECT_TRUE(torch::equal(norm->running_mean, before));
  {
    BuffersOfAStep buffers(*norm, true);
    norm->forward(torch::ones({4, 2}));
    buffers.keep();
  }
  EXPECT_FALSE(torch::equal(norm->running_mean, before));
}

}  // namespace
}  // namespace gen
