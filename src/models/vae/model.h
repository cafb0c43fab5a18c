// The variational auto-encoder (Kingma & Welling 2014; Rezende et al. 2014): see README.md.
#pragma once

#include <memory>

#include "gen/models/model.h"
#include "models/vae/options.h"

namespace gen::vae {

/// Throws ConfigError where the network or the likelihood cannot work on such data.
std::unique_ptr<Model> make_vae(const VaeOptions& options, const DataSpec& data);

}  // namespace gen::vae
