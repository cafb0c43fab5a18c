#include "nn/unet2d/options.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "gen/config/load.h"
#include "gen/config/options.h"

namespace gen {
namespace {

const std::vector<std::string> kDownBlocks{"DownBlock2D", "AttnDownBlock2D", "ResnetDownsampleBlock2D",
                                           "SkipDownBlock2D", "AttnSkipDownBlock2D"};
const std::vector<std::string> kUpBlocks{"UpBlock2D", "AttnUpBlock2D", "ResnetUpsampleBlock2D",
                                         "SkipUpBlock2D", "AttnSkipUpBlock2D"};

void visit_blocks(OptionVisitor& v, UNet2dOptions& o) {
  v.field("down_block_types", o.down_block_types, "blocks from the finest resolution down",
          {.choices = kDownBlocks, .min_size = 1, .max_size = 16});
  v.field("mid_block_type", o.mid_block_type, "the block at the coarsest resolution, or null",
          {.choices = {"UNetMidBlock2D"}});
  v.field("up_block_types", o.up_block_types, "blocks from the coarsest resolution up",
          {.choices = kUpBlocks, .min_size = 1, .max_size = 16});
  v.field("block_out_channels", o.block_out_channels, "channels of each down block",
          {.min = 1, .max = 65536, .min_size = 1, .max_size = 16});
  v.field("layers_per_block", o.layers_per_block,
          "residual blocks in each down block; up blocks have one more", {.min = 1, .max = 64});
  v.field("mid_block_scale_factor", o.mid_block_scale_factor, "the mid block's sums are divided by it",
          {.min = 0, .exclusive_min = true});
  v.field("downsample_padding", o.downsample_padding,
          "padding of the stride-2 convolutions; 0 pads right and below by one", {.min = 0, .max = 1});
  v.field("downsample_type", o.downsample_type, "how AttnDownBlock2D halves the resolution",
          {.choices = {"conv", "resnet"}});
  v.field("upsample_type", o.upsample_type, "how AttnUpBlock2D doubles the resolution",
          {.choices = {"conv", "resnet"}});
}

bool is_plain(const std::string& type) { return type.find("Skip") == std::string::npos; }
std::string count(size_t n) { return std::to_string(n); }

void require_consistent(OptionVisitor& v, const UNet2dOptions& o) {
  const size_t depth = o.block_out_channels.size();
  v.require(o.down_block_types.size() == depth, "down_block_types",
            "as many blocks as block_out_channels, " + count(depth), count(o.down_block_types.size()));
  v.require(o.up_block_types.size() == depth, "up_block_types",
            "as many blocks as block_out_channels, " + count(depth), count(o.up_block_types.size()));
  v.require(o.time_embedding_type != "learned" || o.num_train_timesteps.has_value(), "num_train_timesteps",
            "an integer with time_embedding_type \"learned\"", "null");
  v.require(!o.num_class_embeds || !o.class_embed_type, "num_class_embeds",
            "null with a class_embed_type (its table would not be used)", "an integer");
  v.require(o.norm_num_groups || (std::ranges::none_of(o.down_block_types, is_plain) &&
                                  std::ranges::none_of(o.up_block_types, is_plain)),
            "norm_num_groups", "an integer with blocks other than Skip blocks", "null");
  const bool skips = o.has_skip_blocks();
  const auto is_rgb = [](const std::optional<int64_t>& channels) { return !channels || *channels == 3; };
  if (o.norm_num_groups && !skips)
    for (const int64_t channels : o.block_out_channels)
      v.require(
          channels % *o.norm_num_groups == 0, "norm_num_groups",
          "a divisor of every one of block_out_channels, such as of " + count(static_cast<size_t>(channels)),
          std::to_string(*o.norm_num_groups));
  v.require(o.time_embedding_type != "positional" || o.block_out_channels.empty() ||
                o.block_out_channels.front() / 2 != o.freq_shift || o.freq_shift == 0,
            "freq_shift", "0 where block_out_channels begins with fewer than 4",
            std::to_string(o.freq_shift));
  v.require(!skips || is_rgb(o.in_channels), "in_channels", "3 with Skip blocks",
            o.in_channels ? std::to_string(*o.in_channels) : "");
  v.require(!skips || is_rgb(o.out_channels), "out_channels", "3 with Skip blocks",
            o.out_channels ? std::to_string(*o.out_channels) : "");
}

}  // namespace

bool UNet2dOptions::has_skip_blocks() const {
  return !std::ranges::all_of(down_block_types, is_plain) || !std::ranges::all_of(up_block_types, is_plain);
}

int64_t UNet2dOptions::groups(int64_t channels) const {
  return norm_num_groups.value_or(std::min<int64_t>(channels / 4, 32));
}

void UNet2dOptions::visit(OptionVisitor& v) {
  v.field("sample_size", sample_size, "height and width; null: the data's. Any size works",
          {.min = 1, .max = 65536});
  v.field("in_channels", in_channels, "null: the data's", {.min = 1, .max = 65536});
  v.field("out_channels", out_channels, "null: the data's", {.min = 1, .max = 65536});
  v.field("center_input_sample", center_input_sample, "feed the network 2x - 1");
  v.field(
      "time_embedding_type", time_embedding_type,
      "positional (Vaswani et al. 2017), fourier (Tancik et al. 2020; the output is divided by t) or learned",
      {.choices = {"positional", "fourier", "learned"}});
  v.field("time_embedding_dim", time_embedding_dim, "null: 4 block_out_channels[0]",
          {.min = 1, .max = 65536});
  v.field("freq_shift", freq_shift, "positional: frequencies exp(-ln(10000) k / (half - freq_shift))",
          {.min = 0, .max = 1});
  v.field("flip_sin_to_cos", flip_sin_to_cos, "positional: cosines first");
  visit_blocks(v, *this);
  v.field("dropout", dropout, "probability, in every residual block",
          {.min = 0, .max = 1, .exclusive_max = true});
  v.field("act_fn", act_fn, "activation of the residual blocks",
          {.choices = {"silu", "swish", "mish", "gelu", "relu"}});
  v.field("attention_head_dim", attention_head_dim, "channels of each attention head; null: one head",
          {.min = 1, .max = 65536});
  v.field("norm_num_groups", norm_num_groups, "groups of the norms; null: channels / 4 up to 32",
          {.min = 1, .max = 65536});
  v.field("attn_norm_num_groups", attn_norm_num_groups,
          "groups of the mid attention's norm; null: norm_num_groups, or no norm with scale_shift",
          {.min = 1, .max = 65536});
  v.field("norm_eps", norm_eps, "added to the variances", {.min = 0, .max = 1});
  v.field("resnet_time_scale_shift", resnet_time_scale_shift,
          "default: the time embedding is added; scale_shift: it scales and shifts (Dhariwal & Nichol 2021)",
          {.choices = {"default", "scale_shift"}});
  v.field("add_attention", add_attention, "attention in the mid block");
  v.field("class_embed_type", class_embed_type,
          "null: a table of num_class_embeds vectors; timestep: the label embedded as a time; identity: the "
          "label is a "
          "vector of time_embedding_dim",
          {.choices = {"timestep", "identity"}});
  v.field("num_class_embeds", num_class_embeds,
          "classes; null: the data's, where the model is conditioned on labels", {.min = 1, .max = 1 << 24});
  v.field("num_train_timesteps", num_train_timesteps, "learned time embedding: its number of times",
          {.min = 1, .max = 1 << 24});
  v.choice("attention", attention, ops::kAttentionPaths,
           "what computes attention: fused (our kernels), sdpa (torch's), reference (the definition), check "
           "(fused "
           "against reference); auto: GEN_ATTENTION, or the best that can");
  require_consistent(v, *this);
}

Json to_diffusers_config(const UNet2dOptions& options) {
  Json config = dump(options);
  config.erase("attention");
  config["_class_name"] = "UNet2DModel";
  config["_diffusers_version"] = "0.42.1";
  std::map<std::string, Json> sorted;
  for (const auto& [key, value] : config.items()) sorted[key] = value;
  Json result = Json::object();
  for (auto& [key, value] : sorted) result[key] = std::move(value);
  return result;
}

}  // namespace gen
