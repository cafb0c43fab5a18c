#include "data/shapes/shapes.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "data/shapes/outline.h"
#include "gen/core/check.h"

namespace gen {
namespace {

using Colour = std::array<double, 3>;  // red, green, blue in [0, 255]

struct NamedColour {
  const char* name;
  Colour colour;
};
constexpr std::array<NamedColour, 6> kPalette{{{"red", {244, 80, 94}},
                                               {"orange", {255, 159, 67}},
                                               {"yellow", {255, 221, 89}},
                                               {"green", {64, 205, 133}},
                                               {"blue", {72, 149, 255}},
                                               {"purple", {176, 112, 255}}}};
constexpr Colour kMidnight{18, 22, 41};
constexpr double kLightGrey = 235;

struct Place {
  const char* words;
  double x, y;  // direction from the middle
};
constexpr std::array<Place, 5> kPlaces{{{"in the center", 0, 0},
                                        {"on the left", -1, 0},
                                        {"on the right", 1, 0},
                                        {"at the top", 0, -1},
                                        {"at the bottom", 0, 1}}};

/// One picture's content; lengths are fractions of the image's side.
struct Scene {
  size_t kind = 0, colour = 0, place = 0;
  bool large = false;
  double radius = 0, x = 0, y = 0, turn = 0;
};

Scene draw_scene(HostRng& rng, bool small) {
  const auto between = [&](double low, double high) { return low + (high - low) * rng.uniform(); };
  Scene scene;
  scene.kind = rng.below(kShapeNames.size());
  scene.colour = rng.below(kPalette.size());
  scene.place = rng.below(kPlaces.size());
  scene.large = rng.below(2) == 1 || !small;
  scene.radius = scene.large ? between(0.27, 0.32) : between(0.15, 0.18);
  // Against the side it is named after, but for a margin, and a little off the line.
  constexpr double kMargin = 0.03;
  const double reach = 0.5 - kMargin - scene.radius;
  scene.x = 0.5 + kPlaces[scene.place].x * reach + between(-0.02, 0.02);
  scene.y = 0.5 + kPlaces[scene.place].y * reach + between(-0.02, 0.02);
  scene.turn = between(-0.2, 0.2);
  return scene;
}

std::string caption_of(const Scene& scene, bool coloured) {
  return fmt::format("a {} {}{} {}", scene.large ? "large" : "small",
                     coloured ? std::string(kPalette[scene.colour].name) + " " : "", kShapeNames[scene.kind],
                     kPlaces[scene.place].words);
}

class Shapes final : public Dataset {
 public:
  Shapes(const ShapesOptions& options, Split split)
      : options_(options),
        split_(split),
        size_(split == Split::train ? options.num_examples : options.num_held_out) {
    spec_.shape = {options.channels, options.size, options.size};
    spec_.num_classes = kShapeNames.size();
    spec_.class_names.assign(kShapeNames.begin(), kShapeNames.end());
    spec_.captions = true;
    for (size_t kind = 0; kind < kShapeNames.size(); ++kind)
      outlines_.emplace_back(static_cast<ShapeKind>(kind));
  }
  const DataSpec& spec() const override { return spec_; }
  Split split() const override { return split_; }
  int64_t size() const override { return size_; }

  Example get(int64_t index, HostRng*) const override {
    GEN_CHECK(index >= 0 && index < size_, "example {} of {}", index, size_);
    HostRng rng(derive_seed(static_cast<uint64_t>(options_.seed), Stream::shapes,
                            static_cast<uint64_t>(index), static_cast<uint64_t>(split_)));
    const Scene scene = draw_scene(rng, options_.small);
    return {render(scene), static_cast<int64_t>(scene.kind), caption_of(scene, options_.channels == 3)};
  }

 private:
  double background(int64_t channel) const { return options_.channels == 3 ? kMidnight[channel] : 0; }
  double foreground(const Scene& scene, int64_t channel) const {
    return options_.channels == 3 ? kPalette[scene.colour].colour[channel] : kLightGrey;
  }

  /// How much of the pixel whose middle is (x, y) the shape covers, by the distance of its edge, in [0, 1].
  double coverage(const Scene& scene, int64_t x, int64_t y) const {
    const auto side = static_cast<double>(options_.size);
    const double dx = (static_cast<double>(x) + 0.5) / side - scene.x,
                 dy = (static_cast<double>(y) + 0.5) / side - scene.y;
    const double c = std::cos(scene.turn), s = std::sin(scene.turn);
    const Point p{(c * dx + s * dy) / scene.radius, (c * dy - s * dx) / scene.radius};
    return std::clamp(0.5 - outlines_[scene.kind].distance(p) * scene.radius * side, 0.0, 1.0);
  }

  at::Tensor render(const Scene& scene) const {
    const int64_t n = options_.size, area = n * n;
    at::Tensor image = at::empty({options_.channels, n, n}, at::kByte);
    auto* out = image.mutable_data_ptr<uint8_t>();
    for (int64_t c = 0; c < options_.channels; ++c)
      std::fill_n(out + c * area, area, static_cast<uint8_t>(background(c)));
    // Beyond the shape's circle and a pixel more nothing changes.
    const auto side = static_cast<double>(n);
    const auto low = [&](double centre) {
      return std::max<int64_t>(0, static_cast<int64_t>((centre - scene.radius) * side) - 1);
    };
    const auto high = [&](double centre) {
      return std::min<int64_t>(n, static_cast<int64_t>((centre + scene.radius) * side) + 2);
    };
    for (int64_t y = low(scene.y); y < high(scene.y); ++y)
      for (int64_t x = low(scene.x); x < high(scene.x); ++x) {
        const double covered = coverage(scene, x, y);
        if (covered == 0) continue;
        for (int64_t c = 0; c < options_.channels; ++c)
          out[c * area + y * n + x] = static_cast<uint8_t>(
              std::lround(background(c) + covered * (foreground(scene, c) - background(c))));
      }
    return image;
  }

  ShapesOptions options_;
  Split split_;
  int64_t size_;
  DataSpec spec_;
  std::vector<Outline> outlines_;
};

}  // namespace

std::unique_ptr<Dataset> make_shapes(const ShapesOptions& options, Split split) {
  return std::make_unique<Shapes>(options, split);
}

}  // namespace gen
