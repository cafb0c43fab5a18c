// diffusers' fast-test network: 11,767 parameters.
#pragma once

#include "nn/unet2d/unet2d.h"

namespace gen::test {

inline UNet2dOptions tiny_unet() {
  UNet2dOptions o;
  o.in_channels = o.out_channels = 3;
  o.block_out_channels = {4, 8};
  o.layers_per_block = 1;
  o.norm_num_groups = 4;
  o.down_block_types = {"DownBlock2D", "AttnDownBlock2D"};
  o.up_block_types = {"AttnUpBlock2D", "UpBlock2D"};
  return o;
}

}  // namespace gen::test
