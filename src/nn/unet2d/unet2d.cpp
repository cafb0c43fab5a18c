#include "nn/unet2d/unet2d.h"

#include <nlohmann/json.hpp>

#include "gen/core/error.h"
#include "gen/nn/row_wise.h"
#include "nn/class_labels.h"

namespace gen {
namespace {

/// In the layout that the CPU's convolutions work in: channels last, also where one channel leaves it
/// ambiguous.
at::Tensor to_channels_last(const at::Tensor& x) {
  if (!x.is_cpu()) return x;
  const auto y = x.contiguous(at::MemoryFormat::ChannelsLast);
  if (y.size(1) != 1) return y;
  return y.as_strided(y.sizes(), {y.size(2) * y.size(3), 1, y.size(3), 1});
}

/// The least height and width that leave each level a pixel.
int64_t smallest_side(const UNet2dOptions& options) {
  int64_t side = 1;
  for (size_t i = options.block_out_channels.size() - 1; i-- > 0;) {
    const auto& type = options.down_block_types[i];
    const bool pads =
        (type == "DownBlock2D" || (type == "AttnDownBlock2D" && options.downsample_type == "conv")) &&
        options.downsample_padding == 1;  // ceil(n / 2) pixels remain, of others floor(n / 2)
    side = pads ? 2 * side - 1 : 2 * side;
  }
  return side;
}

}  // namespace

UNet2d::UNet2d(UNet2dOptions options) : options_(std::move(options)) {
  const auto& o = options_;
  const auto& channels = o.block_out_channels;
  const size_t depth = channels.size();
  conv_in_ = register_module("conv_in", std::make_shared<Conv2d>(*o.in_channels, channels.front()));
  time_proj_ = std::make_shared<TimeProjection>(o);
  if (o.time_embedding_type != "positional") register_module("time_proj", time_proj_);
  const int64_t width = time_proj_->width(), time_channels = o.time_channels();
  time_embedding_ =
      register_module("time_embedding", std::make_shared<TimestepEmbedding>(width, time_channels));
  if (o.class_embed_type == "timestep")
    class_time_embedding_ =
        register_module("class_embedding", std::make_shared<TimestepEmbedding>(width, time_channels));
  else if (!o.class_embed_type && o.num_class_embeds)
    class_embedding_ =
        register_module("class_embedding", torch::nn::Embedding(*o.num_class_embeds, time_channels));

  auto downs = register_module("down_blocks", std::make_shared<torch::nn::ModuleListImpl>());
  for (size_t i = 0; i < depth; ++i) {
    const BlockPlace place{.type = o.down_block_types[i],
                           .in = channels[i == 0 ? 0 : i - 1],
                           .out = channels[i],
                           .last = i + 1 == depth};
    down_blocks_.push_back(std::make_shared<DownBlock>(o, place));
    downs->push_back(down_blocks_.back());
  }
  if (o.mid_block_type)
    mid_block_ = register_module("mid_block", std::make_shared<MidBlock>(o, channels.back()));
  auto ups = register_module("up_blocks", std::make_shared<torch::nn::ModuleListImpl>());
  for (size_t i = 0; i < depth; ++i) {
    const size_t level = depth - 1 - i;
    const BlockPlace place{.type = o.up_block_types[i],
                           .in = channels[level == 0 ? 0 : level - 1],
                           .out = channels[level],
                           .previous = channels[std::min(level + 1, depth - 1)],
                           .last = level == 0};
    up_blocks_.push_back(std::make_shared<UpBlock>(o, place));
    ups->push_back(up_blocks_.back());
  }
  conv_norm_out_ = register_module(
      "conv_norm_out", std::make_shared<GroupNorm>(o.groups(channels.front()), channels.front(), o.norm_eps));
  conv_out_ = register_module("conv_out", std::make_shared<Conv2d>(channels.front(), *o.out_channels));
}

void UNet2d::check(const at::Tensor& sample, const at::Tensor& timestep,
                   const at::Tensor& class_labels) const {
  if (sample.dim() != 4 || sample.size(1) != *options_.in_channels)
    throw ShapeError(fmt::format("unet2d: expected sample [B, {}, H, W], got [{}]", *options_.in_channels,
                                 fmt::join(sample.sizes(), ", ")));
  const int64_t B = sample.size(0), smallest = smallest_side(options_);
  if (B < 1 || std::min(sample.size(2), sample.size(3)) < smallest)
    throw ShapeError(fmt::format("unet2d: expected sample [B, {}, H, W] with B >= 1 and H, W >= {}, got [{}]",
                                 *options_.in_channels, smallest, fmt::join(sample.sizes(), ", ")));
  if (!timestep.defined() || (timestep.numel() != B && timestep.numel() != 1))
    throw ShapeError(
        fmt::format("unet2d: expected timestep [{}], got {}", B,
                    timestep.defined() ? fmt::format("[{}]", fmt::join(timestep.sizes(), ", ")) : "none"));
  const bool conditional = class_embedding_ || options_.class_embed_type;
  if (conditional && !class_labels.defined())
    throw ShapeError("unet2d: expected class_labels, as the network is conditioned on them, got none");
  if (!conditional && class_labels.defined())
    throw ShapeError(
        "unet2d: expected no class_labels, as the network is not conditioned on them (num_class_embeds)");
  if (class_embedding_) check_class_labels("unet2d", class_labels, B, *options_.num_class_embeds);
  // "identity" adds the labels to the embedding of the time: fewer numbers would spread over its channels.
  const auto expected =
      options_.class_embed_type == "identity" ? std::vector{B, options_.time_channels()} : std::vector{B};
  if (conditional && !class_labels.sizes().equals(expected))
    throw ShapeError(fmt::format("unet2d: expected class_labels [{}] with class_embed_type \"{}\", got [{}]",
                                 fmt::join(expected, ", "), *options_.class_embed_type,
                                 fmt::join(class_labels.sizes(), ", ")));
}

at::Tensor UNet2d::embed(const at::Tensor& timestep, const at::Tensor& class_labels,
                         at::ScalarType dtype) const {
  auto embedding = time_embedding_->forward(time_proj_->forward(timestep).to(dtype));  // [B, time_channels]
  if (!class_labels.defined()) return embedding;
  if (class_embedding_)
    return embedding + at::embedding(class_embedding_->weight, class_labels.to(at::kLong)).to(dtype);
  if (class_time_embedding_)
    return embedding + class_time_embedding_->forward(time_proj_->forward(class_labels).to(dtype));
  return embedding + class_labels.to(dtype);
}

at::Tensor UNet2d::forward(const at::Tensor& sample, const at::Tensor& timestep,
                           const at::Tensor& class_labels) {
  check(sample, timestep, class_labels);
  const auto t = timestep.reshape({-1}).expand({sample.size(0)});
  auto x = to_channels_last(options_.center_input_sample ? 2 * sample - 1 : sample);
  if (inference_dtype_) x = x.to(*inference_dtype_);
  Flow flow{.h = conv_in_->forward(x),
            .time = row_wise::silu(embed(t, class_labels, x.scalar_type())),
            .skips = {},
            .image = x};
  flow.skips.push_back(flow.h);
  for (const auto& block : down_blocks_) block->forward(flow);
  if (mid_block_) mid_block_->forward(flow);
  flow.image = at::Tensor();
  for (const auto& block : up_blocks_) block->forward(flow);
  auto out = conv_out_->forward(conv_norm_out_->forward(flow.h, /*silu=*/true));  // [B, out_channels, H, W]
  if (flow.image.defined()) out = out + flow.image;
  if (options_.time_embedding_type == "fourier") out = out / t.to(out.scalar_type()).view({-1, 1, 1, 1});
  return out.to(sample.scalar_type(), /*non_blocking=*/false, /*copy=*/false, at::MemoryFormat::Contiguous);
}

void UNet2d::prepare_inference(at::ScalarType dtype) {
  for (const auto& module : modules(/*include_self=*/false))
    if (auto* layer = dynamic_cast<Layer*>(module.get())) layer->pack(dtype);
  inference_dtype_ = dtype;
}

void UNet2d::train(bool on) {
  if (on) inference_dtype_.reset();
  DenoisingNetwork::train(on);
}

std::shared_ptr<DenoisingNetwork> make_unet2d(const UNet2dOptions& options, const NetworkContext& context) {
  return std::make_shared<UNet2d>(fit_to_context(options, context));
}

}  // namespace gen
