#include "gen/train/optimizer.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include "gen/config/load.h"
#include "gen/core/error.h"
#include "support/support.h"
#include "train/ema.h"

namespace gen {
namespace {

// A network with a convolution whose weights are channels-last, a norm and a matrix.
struct Network : torch::nn::Module {
  torch::nn::Conv2d conv = register_module("conv", torch::nn::Conv2d(torch::nn::Conv2dOptions(3, 4, 3)));
  torch::nn::GroupNorm norm = register_module("norm", torch::nn::GroupNorm(2, 4));
  torch::nn::Linear out = register_module("out", torch::nn::Linear(4, 2));
  Network() {
    torch::NoGradGuard no_grad;
    conv->weight.set_data(conv->weight.contiguous(at::MemoryFormat::ChannelsLast));
  }
  at::Tensor forward(const at::Tensor& x) { return out(at::silu(norm(conv(x))).mean({2, 3})); }
};

std::shared_ptr<Network> make_network() {
  torch::manual_seed(3);
  return std::make_shared<Network>();
}

at::Tensor loss_of(Network& network, int64_t step) {
  torch::manual_seed(100 + step);
  return network.forward(torch::randn({8, 3, 6, 6})).square().mean();
}

Component component(const std::string& json) {
  Component chosen;
  Issues issues;
  struct Holder {
    Component& c;
    void visit(OptionVisitor& v) { v.component("o", c, optimizers(), ""); }
  } holder{chosen};
  load(Document::parse(fmt::format("{{\"o\": {}}}", json), "test", issues), holder, issues);
  issues.throw_if_any();
  return chosen;
}

// 20 steps of ours (over groups that decay nothing or everything, as torch's) against torch's own optimizer.
template <class TorchOptimizer, class TorchOptions>
void expect_parity(const std::string& json, const TorchOptions& torch_options) {
  auto ours = make_network(), theirs = make_network();
  ParameterGroup all;
  for (const auto& item : ours->named_parameters()) all.parameters.emplace_back(item.key(), item.value());
  auto optimizer = optimizers().make(component(json), {all});
  TorchOptimizer reference(theirs->parameters(), torch_options);
  for (int64_t step = 0; step < 20; ++step) {
    optimizer->zero_grad();
    loss_of(*ours, step).backward();
    optimizer->step(optimizer->learning_rate());
    reference.zero_grad();
    loss_of(*theirs, step).backward();
    reference.step();
  }
  const auto expected = theirs->named_parameters();
  for (const auto& item : ours->named_parameters())
    EXPECT_LT(test::max_abs_diff(item.value(), expected[item.key()]), 2e-6) << item.key();
}

TEST(AdamW, MatchesTorchOverTwentySteps) {
  expect_parity<torch::optim::AdamW>(
      R"({"type": "adamw", "lr": 0.01, "beta1": 0.8, "beta2": 0.95, "weight_decay": 0.1})",
      torch::optim::AdamWOptions(0.01).betas({0.8, 0.95}).weight_decay(0.1));
}
TEST(AdamW, MatchesTorchWithAmsgrad) {
  expect_parity<torch::optim::AdamW>(R"({"type": "adamw", "lr": 0.01, "amsgrad": true})",
                                     torch::optim::AdamWOptions(0.01).weight_decay(0.01).amsgrad(true));
}
TEST(Adam, MatchesTorchOverTwentySteps) {
  expect_parity<torch::optim::Adam>(R"({"type": "adam", "lr": 0.01, "weight_decay": 0.1})",
                                    torch::optim::AdamOptions(0.01).weight_decay(0.1));
}
TEST(Sgd, MatchesTorchWithNesterovMomentum) {
  expect_parity<torch::optim::SGD>(
      R"({"type": "sgd", "lr": 0.05, "momentum": 0.8, "weight_decay": 0.1, "nesterov": true})",
      torch::optim::SGDOptions(0.05).momentum(0.8).weight_decay(0.1).nesterov(true));
}
TEST(Sgd, MatchesTorchWithoutMomentum) {
  expect_parity<torch::optim::SGD>(R"({"type": "sgd", "lr": 0.05, "momentum": 0})",
                                   torch::optim::SGDOptions(0.05));
}

TEST(AdamW, OnePassIsClippingThenTheStepThenTheAverage) {
  auto one = make_network(), three = make_network();
  auto fused = optimizers().make(component(R"({"type": "adamw", "lr": 0.01})"), parameter_groups(*one));
  auto plain = optimizers().make(component(R"({"type": "adamw", "lr": 0.01})"), parameter_groups(*three));
  EmaOptions options;
  options.decay = 0.9;
  Ema average(*one, options, 1), expected(*three, options, 1);
  for (int64_t step = 0; step < 5; ++step) {
    fused->zero_grad();
    plain->zero_grad();
    loss_of(*one, step).backward();
    loss_of(*three, step).backward();
    if (step == 3)
      for (auto& network : {one, three}) network->norm->weight.mutable_grad().reset();
    ASSERT_TRUE(fused->fused_step(
        {0.01, 0.3, average.weight(100), [&](const at::Tensor& p) { return average.take(p); }}));
    average.update(100);
    for (auto& parameter : three->parameters())
      if (parameter.grad().defined()) parameter.mutable_grad().mul_(0.3);
    plain->step(0.01);
    expected.update(100);
  }
  const auto weights = three->named_parameters();
  for (const auto& item : one->named_parameters()) {
    EXPECT_LT(test::max_abs_diff(item.value(), weights[item.key()]), 1e-6) << item.key();
    EXPECT_LT(test::max_abs_diff(average.state().at(item.key()), expected.state().at(item.key())), 1e-6)
        << item.key();
  }
}

TEST(Optimizer, WithoutAKernelNothingIsDoneInOnePass) {
  for (const char* json :
       {R"({"type": "adam"})", R"({"type": "sgd"})", R"({"type": "adamw", "amsgrad": true})"}) {
    auto network = make_network();
    auto optimizer = optimizers().make(component(json), parameter_groups(*network));
    loss_of(*network, 0).backward();
    const auto before = network->out->weight.detach().clone();
    const auto refuse = [](const at::Tensor&) -> at::Tensor {
      throw std::logic_error("an average was taken");
    };
    EXPECT_FALSE(optimizer->fused_step({0.1, 1.0, 0.5, refuse})) << json;
    EXPECT_TRUE(torch::equal(network->out->weight, before)) << json;
  }
}

TEST(ParameterGroups, NormsAndBiasesAreNotDecayed) {
  const auto groups = parameter_groups(*make_network());
  ASSERT_EQ(groups.size(), 2U);
  std::vector<std::string> decayed;
  for (const auto& [name, parameter] : groups[0].parameters) decayed.push_back(name);
  EXPECT_TRUE(groups[0].decay);
  EXPECT_EQ(decayed, (std::vector<std::string>{"conv.weight", "out.weight"}));
  EXPECT_FALSE(groups[1].decay);
  EXPECT_EQ(groups[1].parameters.size(), 4U);
}

TEST(ParameterGroups, DecayReachesTheDecayedGroupOnly) {
  auto network = make_network();
  auto optimizer =
      optimizers().make(component(R"({"type": "adamw", "weight_decay": 0.5})"), parameter_groups(*network));
  for (auto& parameter : network->parameters()) parameter.mutable_grad() = at::zeros_like(parameter);
  const auto weight = network->out->weight.detach().clone();
  const auto scale = network->norm->weight.detach().clone();
  optimizer->step(0.1);
  EXPECT_LT(test::max_abs_diff(network->out->weight, weight * (1 - 0.1 * 0.5)), 1e-7);
  EXPECT_TRUE(torch::equal(network->norm->weight, scale));
}

TEST(ParameterGroups, FrozenParametersAreLeftOut) {
  auto network = make_network();
  network->conv->weight.set_requires_grad(false);
  for (const auto& group : parameter_groups(*network))
    for (const auto& [name, parameter] : group.parameters) EXPECT_NE(name, "conv.weight");
}

TEST(Optimizer, LeavesParametersWithoutGradientAlone) {
  for (const char* type : {"adamw", "adam", "sgd"}) {
    auto network = make_network();
    auto optimizer = optimizers().make(Component(type), parameter_groups(*network));
    const auto before = network->conv->weight.detach().clone();
    network->out->weight.mutable_grad() = at::ones_like(network->out->weight);
    optimizer->step(0.1);
    EXPECT_TRUE(torch::equal(network->conv->weight, before)) << type;
    EXPECT_NE(network->out->weight.sum().item<double>(), make_network()->out->weight.sum().item<double>())
        << type;
  }
}

TEST(Optimizer, SavedStateContinuesBitForBit) {
  for (const char* type : {"adamw", "adam", "sgd"}) {
    auto whole = make_network(), parts = make_network();
    auto first = optimizers().make(Component(type), parameter_groups(*whole));
    auto second = optimizers().make(Component(type), parameter_groups(*parts));
    const auto run = [](Network& network, Optimizer& optimizer, int64_t from, int64_t to) {
      for (int64_t step = from; step < to; ++step) {
        optimizer.zero_grad();
        loss_of(network, step).backward();
        optimizer.step(1e-2);
      }
    };
    run(*whole, *first, 0, 6);
    run(*parts, *second, 0, 3);
    TensorMap saved;
    for (const auto& [name, tensor] : second->state()) saved[name] = tensor.clone();
    auto resumed = optimizers().make(Component(type), parameter_groups(*parts));
    resumed->load_state(saved);
    run(*parts, *resumed, 3, 6);
    const auto expected = whole->named_parameters();
    for (const auto& item : parts->named_parameters())
      EXPECT_TRUE(torch::equal(item.value(), expected[item.key()])) << type << " " << item.key();
  }
}

TEST(Optimizer, RefusesAStateThatDoesNotFit) {
  auto network = make_network();
  auto optimizer = optimizers().make(Component("adamw"), parameter_groups(*network));
  TensorMap state = optimizer->state();
  state.erase("out.bias.exp_avg");
  state["stranger"] = torch::zeros({1});
  state["conv.weight.exp_avg"] = torch::zeros({2, 2});
  try {
    optimizer->load_state(state);
    FAIL() << "a wrong state was accepted";
  } catch (const DataError& e) {
    const std::string text = e.what();
    for (const char* part :
         {"out.bias.exp_avg is missing", "stranger is unexpected", "conv.weight.exp_avg: expected"})
      EXPECT_NE(text.find(part), std::string::npos) << text;
  }
}

}  // namespace
}  // namespace gen
