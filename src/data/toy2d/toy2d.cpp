#include "data/toy2d/toy2d.h"

#include <ATen/ATen.h>

#include <numbers>

#include "data/toy2d/density.h"
#include "gen/core/check.h"

namespace gen {
namespace {

std::unique_ptr<PlaneDensity> make_density(const Toy2dOptions& options) {
  const auto noise = [&](double usual) { return options.noise.value_or(usual); };
  constexpr double kRoot = std::numbers::sqrt2;
  switch (options.name) {
    case ToyName::moons:
      return make_moons(noise(0.2));
    case ToyName::circles:
      return make_rings({1.5, 3.0}, noise(0.24));
    case ToyName::checkerboard:
      return make_checkerboard(noise(0));
    case ToyName::rings:
      return make_rings({0.75, 1.5, 2.25, 3.0}, noise(0.08));
    case ToyName::pinwheel:
      return make_pinwheel(noise(0.1));
    case ToyName::eight_gaussians:
      return make_gaussians(8, 4 / kRoot, noise(0.5 / kRoot));
    case ToyName::swissroll:
      return make_swissroll(noise(0.2));
  }
  return nullptr;
}

class Toy2d final : public Dataset {
 public:
  Toy2d(const Toy2dOptions& options, Split split)
      : seed_(static_cast<uint64_t>(options.seed)),
        split_(split),
        size_(split == Split::train ? options.num_examples : options.num_held_out),
        density_(make_density(options)) {
    spec_.kind = DataKind::points;
    spec_.shape = {2};
    spec_.levels = 0;
    spec_.num_classes = density_->num_parts() > 1 ? density_->num_parts() : 0;
  }
  const DataSpec& spec() const override { return spec_; }
  Split split() const override { return split_; }
  int64_t size() const override { return size_; }
  Example get(int64_t index, HostRng*) const override {
    GEN_CHECK(index >= 0 && index < size_, "example {} of {}", index, size_);
    HostRng rng(
        derive_seed(seed_, Stream::toy2d, static_cast<uint64_t>(index), static_cast<uint64_t>(split_)));
    const PlanePoint point = density_->draw(rng);
    Example example;
    example.x = at::empty({2}, at::kFloat);
    example.x.mutable_data_ptr<float>()[0] = static_cast<float>(point.x);
    example.x.mutable_data_ptr<float>()[1] = static_cast<float>(point.y);
    if (spec_.num_classes > 0) example.label = point.part;
    return example;
  }
  at::Tensor log_density(const at::Tensor& x) const override {
    return density_->log_density(x.cpu().to(at::kDouble));
  }
  std::optional<double> entropy() const override { return density_->entropy(); }

 private:
  uint64_t seed_;
  Split split_;
  int64_t size_;
  std::unique_ptr<PlaneDensity> density_;
  DataSpec spec_;
};

}  // namespace

std::unique_ptr<Dataset> make_toy2d(const Toy2dOptions& options, Split split) {
  return std::make_unique<Toy2d>(options, split);
}

}  // namespace gen
