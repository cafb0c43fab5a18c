#include "nn/unet2d/attention_block.h"

#include "gen/config/option_error.h"
#include "gen/ops/attention.h"

namespace gen {

AttentionBlock::AttentionBlock(const AttentionBlockOptions& o)
    : options_(o), heads_(o.channels / o.head_dim) {
  if (heads_ < 1)
    throw OptionError(
        "/attention_head_dim",
        fmt::format("expected at most {}, the channels of the narrowest attention, or null for one head, "
                    "got {}",
                    o.channels, o.head_dim));
  const int64_t inner = heads_ * o.head_dim;
  if (o.groups > 0)
    group_norm_ = register_module("group_norm", std::make_shared<GroupNorm>(o.groups, o.channels, o.eps));
  to_q_ = register_module("to_q", std::make_shared<Linear>(o.channels, inner));
  to_k_ = register_module("to_k", std::make_shared<Linear>(o.channels, inner));
  to_v_ = register_module("to_v", std::make_shared<Linear>(o.channels, inner));
  auto list =
      register_module("to_out", std::make_shared<torch::nn::ModuleListImpl>());  // "to_out.0"; 1 was dropout
  to_out_ = std::make_shared<Linear>(inner, o.channels);
  list->push_back(to_out_);
}

at::Tensor AttentionBlock::forward(const at::Tensor& x) const {
  const int64_t B = x.size(0), C = x.size(1), H = x.size(2), W = x.size(3);
  auto h = group_norm_ ? group_norm_->forward(x) : x;
  h = h.permute({0, 2, 3, 1}).reshape({B, H * W, C});
  const auto heads = [&](const at::Tensor& y) {
    return y.view({B, H * W, heads_, options_.head_dim}).transpose(1, 2);
  };
  h = ops::attention(heads(to_q_->forward(h)), heads(to_k_->forward(h)), heads(to_v_->forward(h)),
                     {.path = options_.path});  // [B, heads, HW, D]
  h = to_out_->forward(h.transpose(1, 2).reshape({B, H * W, heads_ * options_.head_dim}));
  h = x + h.view({B, H, W, C}).permute({0, 3, 1, 2});
  return options_.output_scale_factor == 1 ? h : h / options_.output_scale_factor;
}

}  // namespace gen
