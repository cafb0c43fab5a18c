// What the data and the model around it ask of a UNet2DModel's options.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "gen/config/option_error.h"
#include "gen/nn/network.h"
#include "nn/class_labels.h"
#include "nn/unet2d/options.h"

namespace gen {
namespace {

void fit_to_shape(UNet2dOptions& o, const std::vector<int64_t>& shape, OptionMistakes& mistakes) {
  if (shape.size() != 3)
    return mistakes.add("/type", fmt::format("expected a network of points (mlp) for data of shape [{}], got "
                                             "unet2d, which works on images [C, H, W]",
                                             fmt::join(shape, ", ")));
  const auto fill = [&](std::optional<int64_t>& value, int64_t data, const char* key, const char* way_out) {
    if (value && *value != data)
      mistakes.add(std::string("/") + key,
                   fmt::format("expected {}, as the data have, or null, got {}{}", data, *value, way_out));
    value = data;
  };
  fill(o.in_channels, shape[0], "in_channels", "");
  // A loss would spread a wrong number of channels over the data's.
  fill(o.out_channels, shape[0], "out_channels", "");
  fill(o.sample_size, shape[1], "sample_size", " (the size of the images is an option of the data)");
  const int64_t halvings = int64_t{1} << (o.block_out_channels.size() - 1);
  if (o.has_skip_blocks() && (shape[1] % halvings != 0 || shape[2] % halvings != 0))
    mistakes.add(
        "/down_block_types",
        fmt::format("expected images whose sides are multiples of {} where {} Skip blocks halve them, "
                    "got {} x {}",
                    halvings, o.block_out_channels.size(), shape[1], shape[2]));
}

void fit_to_labels(UNet2dOptions& o, int64_t num_classes, OptionMistakes& mistakes) {
  if (!o.class_embed_type) return fit_num_class_embeds(o.num_class_embeds, num_classes, mistakes);
  if (num_classes == 0)
    mistakes.add("/class_embed_type",
                 fmt::format("expected null where the model is not conditioned on labels, got \"{}\" (or set "
                             "model.conditional to true)",
                             *o.class_embed_type));
  else if (o.class_embed_type == "identity")
    mistakes.add("/class_embed_type",
                 fmt::format("expected null (a table of vectors) or \"timestep\", as the labels of data are "
                             "numbers, got \"identity\", which wants vectors of {} numbers",
                             o.time_channels()));
}

void fit_to_times(const UNet2dOptions& o, int64_t num_timesteps, OptionMistakes& mistakes) {
  if (num_timesteps == 0) return;
  if (o.time_embedding_type == "fourier")
    mistakes.add(
        "/time_embedding_type",
        fmt::format("expected \"positional\" or \"learned\", as the times are 0 .. {}, got \"fourier\", "
                    "which takes the logarithm of a noise level",
                    num_timesteps - 1));
  if (o.time_embedding_type == "learned" && *o.num_train_timesteps < num_timesteps)
    mistakes.add("/num_train_timesteps",
                 fmt::format("expected at least {}, the timesteps of the noise schedule, got {}",
                             num_timesteps, *o.num_train_timesteps));
}

}  // namespace

UNet2dOptions fit_to_context(UNet2dOptions options, const NetworkContext& context) {
  OptionMistakes mistakes;
  if (!context.shape.empty()) {
    fit_to_shape(options, context.shape, mistakes);
    fit_to_labels(options, context.num_classes, mistakes);
    fit_to_times(options, context.num_timesteps, mistakes);
  }
  for (const auto& [value, key] :
       {std::pair{options.in_channels, "/in_channels"}, std::pair{options.out_channels, "/out_channels"}})
    if (!value && mistakes.empty())
      mistakes.add(key, "expected an integer, as there are no data to take it from, got null");
  mistakes.throw_if_any();
  return options;
}

}  // namespace gen
