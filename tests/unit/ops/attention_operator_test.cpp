// gen::flash_attention as Python sees it.
#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/torch.h>

#include <cstdlib>

#include "support/support.h"

namespace gen {
namespace {

/// GEN_PEERS_PYTHON, or python3 with the build's own torch: one for CUDA is whole, one for the CPU lacks what only Python
/// loads.
TEST(AttentionOperator, PassesTorchsOpcheckInPython) {
  const char *python = std::getenv("GEN_PEERS_PYTHON"), *torch = std::getenv("GEN_TORCH_DIR");
  const auto library = test::gen_binary().parent_path().parent_path() / "lib" / "libgen.so";
  const auto script = test::source_dir() / "tests/golden/attention/opcheck.py";
  std::vector<std::string> environment;
  if (python == nullptr)
    environment.push_back("PYTHONPATH=" +
                          (torch != nullptr ? torch : (test::source_dir() / "build/torch").string()));
  const auto result = test::run_command(
      {python != nullptr ? python : "python3", script.string(), library.string()}, environment);
  if (result.exit_code == 77)
    GTEST_SKIP() << "needs a Python that can import torch 2.11 (GEN_PEERS_PYTHON, or build/torch with its "
                    "dependencies): "
                 << result.out;
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
}

using torch::jit::Stack;

/// The operator's results, with its defaults for what is not given by name.
Stack call(const char* name, Stack arguments,
           const std::vector<std::pair<std::string, c10::IValue>>& options) {
  const auto op = c10::Dispatcher::singleton().findSchemaOrThrow(name, "");
  const auto& schema = op.schema().arguments();
  while (arguments.size() < schema.size()) {
    const auto& argument = schema[arguments.size()];
    arguments.push_back(argument.default_value().value_or(c10::IValue()));
    for (const auto& [option, value] : options)
      if (argument.name() == option) arguments.back() = value;
  }
  op.callBoxed(arguments);
  return arguments;
}

/// Shapes, strides and dtypes.
std::string layout(const Stack& results) {
  std::string text;
  for (const auto& r : results) {
    const auto x = r.toTensor();
    text += fmt::format("[{}] by [{}] {}; ", fmt::join(x.sizes(), ", "), fmt::join(x.strides(), ", "),
                        toString(x.scalar_type()));
  }
  return text;
}

TEST(AttentionOperator, OnMetaTensorsGivesTheLayoutsOfTheCpu) {
  const auto cu_q = at::tensor({0, 3, 9}, at::kInt), cu_k = at::tensor({0, 5, 12}, at::kInt);
  for (const auto dtype : {at::kFloat, at::kBFloat16, at::kHalf})
    for (const auto& [queries, keys, is_packed] :
         {std::tuple{torch::randn({2, 4, 9, 16}), torch::randn({2, 2, 12, 16}), false},
          {torch::randn({2, 9, 4, 16}).transpose(1, 2), torch::randn({2, 12, 1, 16}).transpose(1, 2), false},
          {torch::randn({1, 1, 1, 16}), torch::randn({1, 1, 7, 16}), false},
          {torch::randn({0, 4, 9, 16}), torch::randn({0, 2, 12, 16}), false},
          {torch::randn({9, 4, 16}), torch::randn({12, 2, 16}), true}}) {
      const auto bias = torch::randn({1, 1, 1, 1});
      const auto layouts_on = [&, q = queries, k = keys, packed = is_packed](const at::Device& device) {
        const auto there = [&](const at::Tensor& x) { return x.to(device, dtype); };
        std::vector<std::pair<std::string, c10::IValue>> options{{"bias", bias.to(device)},
                                                                 {"bias_grad", true}};
        if (packed)
          for (const auto& [name, value] : {std::pair{"cu_seqlens_q", c10::IValue(cu_q.to(device))},
                                            {"cu_seqlens_k", cu_k.to(device)},
                                            {"max_q", 6},
                                            {"max_k", 7}})
            options.emplace_back(name, value);
        const auto out = call("gen::flash_attention", {there(q), there(k), there(k)}, options);
        const auto grads = call("gen::flash_attention_backward",
                                {there(q), there(q), there(k), there(k), out[0], out[1]}, options);
        return layout(out) + layout(grads);
      };
      EXPECT_EQ(layouts_on(at::kMeta), layouts_on(at::kCPU));
    }
}

TEST(AttentionOperator, TheEnvironmentChoosesThePathAndANameItDoesNotKnowIsRefused) {
  const std::vector<std::string> dry_run{test::gen_binary().string(), "train", "--config",
                                         (test::source_dir() / "configs/diffusion/shapes.json").string(),
                                         "--dry-run"};
  const auto checked = test::run_command(dry_run, {"GEN_ATTENTION=check"});
  EXPECT_EQ(checked.exit_code, 0) << checked.err;
  EXPECT_NE(checked.err.find("of fused differs from reference by at most"), std::string::npos) << checked.err;
  const auto refused = test::run_command(dry_run, {"GEN_ATTENTION=fast"});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_NE(refused.err.find("GEN_ATTENTION: expected auto, fused, sdpa, reference or check, got \"fast\""),
            std::string::npos)
      << refused.err;
}

}  // namespace
}  // namespace gen
