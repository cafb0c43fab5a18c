#include "train/precision.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <nlohmann/json.hpp>

#include "gen/core/error.h"

namespace gen {
namespace {

TEST(Precision, Fp16OnACpuIsAConfigError) {
  EXPECT_THROW(check_precision(Precision::fp16, at::kCPU), ConfigError);
  EXPECT_NO_THROW(check_precision(Precision::bf16, at::kCPU));
}

TEST(AutocastGuard, RunsMatrixProductsInBf16AndRestores) {
  const auto a = torch::ones({4, 4});
  {
    const AutocastGuard autocast(Precision::bf16, at::kCPU);
    EXPECT_EQ(at::mm(a, a).scalar_type(), at::kBFloat16);
  }
  EXPECT_EQ(at::mm(a, a).scalar_type(), at::kFloat);
  {
    const AutocastGuard nothing(Precision::fp32, at::kCPU);
    EXPECT_EQ(at::mm(a, a).scalar_type(), at::kFloat);
  }
}

TEST(LossScaler, HalvesOnOverflowAndDoublesAfterGoodSteps) {
  LossScaler scaler(true);
  EXPECT_EQ(scaler.scale(), 65536);
  EXPECT_TRUE(scaler.update(true));
  EXPECT_EQ(scaler.scale(), 32768);
  for (int i = 0; i < 1999; ++i) scaler.update(false);
  EXPECT_EQ(scaler.scale(), 32768);
  scaler.update(false);
  EXPECT_EQ(scaler.scale(), 65536);
}

TEST(LossScaler, GivesUpAtScaleOne) {
  LossScaler scaler(true);
  for (int i = 0; i < 16; ++i) EXPECT_TRUE(scaler.update(true));
  EXPECT_EQ(scaler.scale(), 1);
  EXPECT_FALSE(scaler.update(true));
}

TEST(LossScaler, UnscalingUndoesScaling) {
  LossScaler scaler(true);
  auto w = torch::full({3}, 2.0, torch::requires_grad());
  scaler.scaled(w.square().sum()).backward();
  scaler.unscale_({w.grad()});
  EXPECT_TRUE(torch::equal(w.grad(), torch::full({3}, 4.0)));
}

TEST(LossScaler, StateContinues) {
  LossScaler first(true), second(true);
  first.update(true);
  for (int i = 0; i < 1500; ++i) first.update(false);
  second.load_state({first.state(), "state.json"});
  for (int i = 0; i < 500; ++i) second.update(false);
  EXPECT_EQ(second.scale(), 65536);
}

TEST(LossScaler, DoesNothingWhenInactive) {
  LossScaler scaler(false);
  const auto loss = torch::ones({});
  EXPECT_TRUE(scaler.scaled(loss).is_same(loss));
  EXPECT_EQ(scaler.scale(), 1);
}

}  // namespace
}  // namespace gen
