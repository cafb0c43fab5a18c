// How near a reconstruction comes to its original: MSE, PSNR and SSIM.
#pragma once

#include <memory>

#include "gen/config/options.h"
#include "gen/metrics/metric.h"

namespace gen {

struct ReconstructionOptions {
  void visit(OptionVisitor&) {}
};

/// Results "mse" and, for images in [0, 1], "psnr" and "ssim", each a mean of the examples' own values.
std::unique_ptr<Metric> make_reconstruction(const ReconstructionOptions& options, const DataSpec& data);

}  // namespace gen
