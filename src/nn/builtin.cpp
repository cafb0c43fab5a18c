#include "gen/nn/network.h"
#include "nn/mlp.h"
#include "nn/unet2d/unet2d.h"

namespace gen {

const NetworkKind& networks() {
  static const auto kind = [] {
    NetworkKind k("network");
    k.add<UNet2dOptions>("unet2d", make_unet2d,
                         "U-Net over images, diffusers' UNet2DModel (Ho et al. 2020; Song et al. 2021)");
    k.add<MlpOptions>("mlp", make_mlp,
                      "residual network over points (He et al. 2016; time embedding of Ho et al. 2020)");
    return k;
  }();
  return kind;
}

}  // namespace gen
