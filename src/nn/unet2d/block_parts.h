// What the blocks' constructors share.
#pragma once

#include <cmath>

#include "nn/unet2d/blocks.h"

namespace gen::unet2d {

inline bool has_attention(const std::string& type) { return type.starts_with("Attn"); }
inline bool is_skip(const std::string& type) { return type.find("Skip") != std::string::npos; }

/// Skip blocks divide their sums by sqrt(2) (Song et al. 2021).
inline double output_scale(const std::string& type) { return is_skip(type) ? std::sqrt(2.0) : 1.0; }

inline ResnetBlockOptions resnet_options(const UNet2dOptions& o, int64_t in, int64_t out, double scale) {
  return {.in = in,
          .out = out,
          .time_channels = o.time_channels(),
          .groups = o.groups(in),
          .groups_out = o.groups(out),
          .eps = o.norm_eps,
          .dropout = o.dropout,
          .output_scale_factor = scale,
          .act_fn = o.act_fn,
          .scale_shift = o.resnet_time_scale_shift == "scale_shift"};
}

/// The same within a Skip block, which sets its own groups.
inline ResnetBlockOptions skip_resnet_options(const UNet2dOptions& o, int64_t in, int64_t out) {
  auto options = resnet_options(o, in, out, std::sqrt(2.0));
  options.groups = std::min<int64_t>(in / 4, 32);
  options.groups_out = std::min<int64_t>(out / 4, 32);
  return options;
}

inline AttentionBlockOptions attention_options(const UNet2dOptions& o, const std::string& type,
                                               int64_t channels) {
  return {.channels = channels,
          .head_dim = o.head_dim(channels),
          .groups = is_skip(type) ? 32 : o.groups(channels),
          .eps = o.norm_eps,
          .output_scale_factor = output_scale(type),
          .path = o.attention};
}

/// A list of modules under `name`, made one by one so that their weights are drawn in the order of
/// construction.
template <class Module, class Options>
std::shared_ptr<Module> append(torch::nn::ModuleListImpl& list, const Options& options) {
  auto module = std::make_shared<Module>(options);
  list.push_back(module);
  return module;
}

}  // namespace gen::unet2d
