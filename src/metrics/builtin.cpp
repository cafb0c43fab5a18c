// The metrics, one line each.
#include "gen/metrics/metric.h"
#include "metrics/elbo.h"
#include "metrics/likelihood.h"
#include "metrics/reconstruction.h"

namespace gen {

const MetricKind& metrics() {
  static const auto kind = [] {
    MetricKind k("metric");
    k.add<LikelihoodMetricOptions>("nll", make_nll, "negative log-likelihood of held-out data, nats");
    k.add<LikelihoodMetricOptions>(
        "bits_per_dim", make_bits_per_dim,
        "negative log-likelihood in bits for each pixel and channel (Theis et al. 2016)");
    k.add<ElboOptions>("elbo", make_elbo, "evidence lower bound and its terms, nats (Kingma & Welling 2014)");
    k.add<ReconstructionOptions>("reconstruction", make_reconstruction,
                                 "MSE, PSNR and SSIM of reconstructions (Wang et al. 2004)");
    return k;
  }();
  return kind;
}

}  // namespace gen
