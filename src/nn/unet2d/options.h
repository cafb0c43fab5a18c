// The options of `unet2d`: diffusers' UNet2DModel config keys and defaults.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "gen/config/json.h"
#include "gen/ops/attention.h"

namespace gen {

class OptionVisitor;
struct NetworkContext;

struct UNet2dOptions {
  std::optional<int64_t> sample_size, in_channels, out_channels;  ///< null: the data's
  bool center_input_sample = false;
  std::string time_embedding_type = "positional";
  std::optional<int64_t> time_embedding_dim;
  int64_t freq_shift = 0;
  bool flip_sin_to_cos = true;
  std::vector<std::string> down_block_types{"DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D",
                                            "AttnDownBlock2D"};
  std::optional<std::string> mid_block_type{"UNetMidBlock2D"};
  std::vector<std::string> up_block_types{"AttnUpBlock2D", "AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D"};
  std::vector<int64_t> block_out_channels{224, 448, 672, 896};
  int64_t layers_per_block = 2;
  double mid_block_scale_factor = 1;
  int64_t downsample_padding = 1;
  std::string downsample_type = "conv", upsample_type = "conv";
  double dropout = 0;
  std::string act_fn = "silu";
  std::optional<int64_t> attention_head_dim = 8;
  std::optional<int64_t> norm_num_groups = 32, attn_norm_num_groups;
  double norm_eps = 1e-5;
  std::string resnet_time_scale_shift = "default";
  bool add_attention = true;
  std::optional<std::string> class_embed_type;
  std::optional<int64_t> num_class_embeds, num_train_timesteps;
  ops::AttentionPath attention = ops::AttentionPath::automatic;  ///< ours, not a key of diffusers

  void visit(OptionVisitor& v);

  int64_t time_channels() const { return time_embedding_dim.value_or(4 * block_out_channels.front()); }
  /// Of the norms of a block that is `channels` wide: norm_num_groups, or a quarter of the channels up to 32.
  int64_t groups(int64_t channels) const;
  bool has_skip_blocks() const;
  int64_t head_dim(int64_t channels) const { return attention_head_dim.value_or(channels); }
};

/// The options with those that are null taken from `context`. Throws OptionError with every one that disagrees with it.
UNet2dOptions fit_to_context(UNet2dOptions options, const NetworkContext& context);

/// The whole config.json that diffusers' UNet2DModel.save_pretrained writes for these options.
Json to_diffusers_config(const UNet2dOptions& options);

}  // namespace gen
