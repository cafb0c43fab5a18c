#include "metrics/reconstruction.h"

#include <nlohmann/json.hpp>

#include "gen/core/error.h"
#include "metrics/image_similarity.h"
#include "metrics/mean.h"

namespace gen {
namespace {

class Reconstruction final : public Metric {
 public:
  explicit Reconstruction(const DataSpec& data)
      : images_(data.kind == DataKind::images),
        windows_fit_(images_ && data.shape[1] >= kSsimWindow && data.shape[2] >= kSsimWindow) {}

  std::string missing_capability(Model& model) const override {
    return model.autoencoder() == nullptr ? "an encoder and a decoder" : "";
  }

  void update(Model& model, const Batch& batch, Rng&) override {
    if (const auto missing = missing_capability(model); !missing.empty())
      throw ConfigError("eval: metric reconstruction asks the model for " + missing);
    described_ = model.autoencoder()->reconstruction_protocol();
    const auto y = model.autoencoder()->reconstruct(batch.x);
    mse_.add(mean_squared_error(batch.x, y), batch.indices);
    if (images_) psnr_.add(psnr(batch.x, y), batch.indices);
    if (windows_fit_) ssim_.add(ssim(batch.x, y), batch.indices);
  }

  std::vector<MetricResult> compute() const override {
    Json protocol = protocol_of(mse_);
    protocol["code"] = "mean of the posterior";
    protocol["encoder"] = described_;
    protocol["average"] = "of the examples' own values";
    std::vector<MetricResult> results{
        {"mse", mse_.mean(), mse_.std_error(), "", protocol, mse_.non_finite()}};
    if (images_) {
      protocol["data_range"] = "[0, 1]";
      results[0].protocol = protocol;
      results.push_back({"psnr", psnr_.mean(), psnr_.std_error(), "dB", protocol, psnr_.non_finite()});
    }
    if (windows_fit_) {
      protocol["window"] =
          "Gaussian 11x11, sigma 1.5, K1 0.01, K2 0.03, inside the image, mean over channels";
      results.push_back({"ssim", ssim_.mean(), ssim_.std_error(), "", protocol, ssim_.non_finite()});
    }
    return results;
  }

 private:
  bool images_, windows_fit_;
  std::string described_;
  Mean mse_, psnr_, ssim_;
};

}  // namespace

std::unique_ptr<Metric> make_reconstruction(const ReconstructionOptions&, const DataSpec& data) {
  return std::make_unique<Reconstruction>(data);
}

}  // namespace gen
