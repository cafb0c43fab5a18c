// Networks that denoise or predict over images or points, behind one call: what a diffusion model trains and what
// `gen forward` runs.
#pragma once

#include <torch/torch.h>

#include <filesystem>
#include <memory>
#include <vector>

#include "gen/config/component.h"
#include "gen/config/json.h"
#include "gen/io/tensor_map.h"

namespace gen {

/// What the data ask of a network; fills options that a config leaves null.
struct NetworkContext {
  std::vector<int64_t> shape;  ///< of one example: [C, H, W] or [D]; empty: the options must say
  int64_t num_classes = 0;     ///< labels that the model is conditioned on; 0: none
  int64_t num_timesteps = 0;   ///< times are 0 .. num_timesteps - 1; 0: not known
};

/// A network (x, t, labels) -> output of x's shape (more channels where variances are learned).
class DenoisingNetwork : public torch::nn::Module {
 public:
  /// sample [B, *shape], timestep [B] (float or int64), class_labels [B] int64 or undefined.
  virtual at::Tensor forward(const at::Tensor& sample, const at::Tensor& timestep,
                             const at::Tensor& class_labels) = 0;
  /// The shape of one sample, -1 where any size works.
  virtual std::vector<int64_t> input_shape() const = 0;
  /// The size of the table that class_labels index; 0: none, or labels are embedded otherwise.
  virtual int64_t num_classes() const { return 0; }
  /// The ecosystem's config for these weights, e.g. diffusers' config.json of UNet2DModel.
  virtual Json ecosystem_config() const = 0;
  /// Whether prepare_inference() can make it compute in `dtype`.
  virtual bool computes_in(at::ScalarType dtype) const { return dtype == at::kFloat; }
  /// Called once the weights no longer change (sampling): may keep packed copies of them and compute in `dtype`, float32 or
  /// bfloat16; inputs and outputs stay float32. Undone by train().
  virtual void prepare_inference(at::ScalarType /*dtype*/) {}
};

/// The network kind: unet2d, mlp. Throws OptionError with every option that disagrees with the context.
using NetworkKind = Kind<std::shared_ptr<DenoisingNetwork>(const NetworkContext&)>;
const NetworkKind& networks();

/// The network on the tensors "sample", "timestep" ([B], or one for all) and, where it is conditioned on them,
/// "class_labels"; gives "out". Other precisions than the network's are converted. Throws ConfigError where one is missing,
/// DataError or ShapeError where one does not fit.
TensorMap forward_by_name(DenoisingNetwork& network, const TensorMap& inputs);

/// Copies tensors into the module's parameters and buffers by name. Every missing, unexpected or wrongly shaped one is
/// named in one DataError; `source` names the file in it.
void load_state(torch::nn::Module& module, const TensorMap& tensors, const std::string& source);
/// Parameters and buffers by name, detached, not copied.
TensorMap state_of(const torch::nn::Module& module);

/// A folder as diffusers saves it: config.json ("_class_name": "UNet2DModel") and diffusion_pytorch_model.safetensors
/// (or its shards, or a variant such as .fp16, which is converted). Keys that gen does not know are warned of. Throws
/// DataError naming what is missing and what to do.
std::shared_ptr<DenoisingNetwork> load_network_folder(const std::filesystem::path& folder);

/// Its tensors alone, under their current names; `source` becomes the file that they were read from.
TensorMap read_network_weights(const std::filesystem::path& folder, std::string& source);

}  // namespace gen
