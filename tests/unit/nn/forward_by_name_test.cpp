#include <torch/torch.h>

#include "gen/core/error.h"
#include "gen/nn/network.h"
#include "nn/mlp.h"
#include "support/support.h"
#include "support/tiny_unet.h"

namespace gen {
namespace {

std::shared_ptr<DenoisingNetwork> unet_for_inputs(std::optional<int64_t> classes = {}, int64_t padding = 1) {
  UNet2dOptions o = test::tiny_unet();
  o.downsample_padding = padding;
  o.down_block_types = {"DownBlock2D", "DownBlock2D"};
  o.up_block_types = {"UpBlock2D", "UpBlock2D"};
  o.num_class_embeds = classes;
  torch::manual_seed(0);
  return make_unet2d(o, {});
}

std::string refusal_of_inputs(DenoisingNetwork& network, const TensorMap& inputs) {
  const at::NoGradGuard no_grad;
  try {
    forward_by_name(network, inputs);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(ForwardByName, ConvertsPrecisionsAndTimesThatMeanTheSame) {
  const at::NoGradGuard no_grad;
  const auto network = unet_for_inputs();
  const auto x = torch::rand({2, 3, 8, 8}).to(at::kHalf).to(at::kFloat);
  const auto out = forward_by_name(*network, {{"sample", x}, {"timestep", torch::tensor({7, 7})}}).at("out");
  for (const auto dtype : {at::kHalf, at::kDouble}) {
    const auto given =
        forward_by_name(*network, {{"sample", x.to(dtype)}, {"timestep", torch::tensor({7, 7})}});
    EXPECT_TRUE(given.at("out").equal(out)) << dtype;
  }
  for (const auto& t :
       {torch::tensor(7), torch::tensor(7.0), torch::tensor({7}, at::kInt), torch::tensor({7.0, 7.0}),
        torch::tensor({7, 7}, at::kByte), torch::tensor({7, 7}, at::kDouble)})
    EXPECT_TRUE(forward_by_name(*network, {{"sample", x}, {"timestep", t}}).at("out").equal(out)) << t;
}

TEST(ForwardByName, RefusesWhatMakesNoSenseInWords) {
  const auto network = unet_for_inputs();
  const auto x = torch::rand({2, 3, 8, 8}), t = torch::tensor({7, 7});
  const auto refusal = [&](const at::Tensor& sample, const at::Tensor& time) {
    return refusal_of_inputs(*network, {{"sample", sample}, {"timestep", time}});
  };
  EXPECT_EQ(refusal(x.permute({0, 2, 3, 1}), t),
            "sample: expected floating-point numbers [B, 3, H, W], got float32 [2, 8, 8, 3] (channels come "
            "before height "
            "and width: permute(0, 3, 1, 2))");
  EXPECT_NE(
      refusal(x[0], t).find("got float32 [3, 8, 8] (the first dimension counts the examples: unsqueeze(0))"),
      std::string::npos);
  EXPECT_NE(refusal(x.slice(0, 0, 0), t).find("it is empty"), std::string::npos);
  EXPECT_NE(refusal((x * 255).to(at::kByte), t).find("got uint8 [2, 3, 8, 8] (convert it to float32"),
            std::string::npos);
  EXPECT_NE(refusal(x.to(at::kLong), t).find("got int64"), std::string::npos);
  EXPECT_NE(refusal(x.to(at::kDouble) * 1e300, t).find("within the range of float32"), std::string::npos);
  EXPECT_NE(refusal(x, torch::tensor({7.0, 1e300}, at::kDouble)).find("within the range"), std::string::npos);
  EXPECT_NE(refusal(torch::tensor(1.0), t).find("got float32 []"), std::string::npos);
  EXPECT_EQ(refusal(x, torch::tensor({1, 2, 3})),
            "timestep: expected numbers [2], or one for all, got int64 [3]");
  EXPECT_NE(refusal(x, torch::zeros({2, 1})).find("got float32 [2, 1]"), std::string::npos);
  EXPECT_NE(
      refusal_of_inputs(*unet_for_inputs({}, 0), {{"sample", torch::rand({1, 3, 1, 8})}, {"timestep", t[0]}})
          .find("H, W >= 2"),
      std::string::npos);
}

TEST(ForwardByName, ChecksClassesBeforeTheyIndexATable) {
  const auto x = torch::rand({2, 3, 8, 8}), points = torch::rand({2, 2}), t = torch::tensor(7);
  const auto unet = unet_for_inputs(4);
  MlpOptions options;
  options.in_features = 2;
  options.hidden_size = 4;
  options.num_class_embeds = 4;
  const auto mlp = make_mlp(options, {});
  for (const bool images : {true, false}) {
    const auto refusal = [&](const at::Tensor& labels) {
      return refusal_of_inputs(images ? *unet : *mlp,
                               {{"sample", images ? x : points}, {"timestep", t}, {"class_labels", labels}});
    };
    EXPECT_EQ(refusal(torch::tensor({0, 3}, at::kInt)), "");
    EXPECT_EQ(refusal(torch::tensor(2.0)), "");
    EXPECT_EQ(refusal(torch::tensor({0, 4})), "class_labels: expected classes in [0, 3], got 0 to 4");
    EXPECT_EQ(refusal(torch::tensor({-1})), "class_labels: expected classes in [0, 3], got -1 to -1");
    EXPECT_NE(refusal(torch::tensor({0.5, 1.0})).find("expected classes (integers) [2], got float32 [2]"),
              std::string::npos);
    EXPECT_NE(refusal(torch::tensor({1, 2, 3})), "");
  }
}

}  // namespace
}  // namespace gen
