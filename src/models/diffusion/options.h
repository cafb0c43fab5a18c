// The options of the model family `diffusion`.
#pragma once

#include "gen/config/options.h"
#include "gen/diffusion/parameterization.h"

namespace gen {

struct DiffusionOptions {
  Component network{"unet2d"};
  Component noise_schedule{"linear"};
  PredictionType prediction_type = PredictionType::epsilon;
  bool conditional = false;
  void visit(OptionVisitor& v);
};

}  // namespace gen
