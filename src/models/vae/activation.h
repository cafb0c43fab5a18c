#pragma once

#include <torch/torch.h>

#include <array>
#include <utility>

#include "gen/config/options.h"

namespace gen::vae {

enum class Activation { relu, leaky_relu, elu, silu, gelu, tanh, softplus };

inline constexpr std::array<std::pair<const char*, Activation>, 7> kActivations{
    {{"relu", Activation::relu},
     {"leaky_relu", Activation::leaky_relu},
     {"elu", Activation::elu},
     {"silu", Activation::silu},
     {"gelu", Activation::gelu},
     {"tanh", Activation::tanh},
     {"softplus", Activation::softplus}}};

/// The activation as a module without parameters.
torch::nn::Functional make_activation(Activation activation);

}  // namespace gen::vae
