// The toy2d data set: points in the plane whose density is known.
#pragma once

#include "gen/config/options.h"
#include "gen/data/dataset.h"

namespace gen {

enum class ToyName { moons, circles, checkerboard, rings, pinwheel, eight_gaussians, swissroll };
inline constexpr std::array<std::pair<const char*, ToyName>, 7> kToyNames{
    {{"moons", ToyName::moons},
     {"circles", ToyName::circles},
     {"checkerboard", ToyName::checkerboard},
     {"rings", ToyName::rings},
     {"pinwheel", ToyName::pinwheel},
     {"8gaussians", ToyName::eight_gaussians},
     {"swissroll", ToyName::swissroll}}};

struct Toy2dOptions {
  ToyName name = ToyName::moons;
  std::optional<double> noise;
  int64_t num_examples = 100000;
  int64_t num_held_out = 10000;
  int64_t seed = 0;

  void visit(OptionVisitor& v) {
    v.choice("name", name, kToyNames,
             "the density; every one is known exactly, so that scores have a floor to reach");
    v.field(
        "noise", noise,
        "standard deviation of the blur in the units of the points; null: what FFJORD draws with (moons and "
        "swissroll 0.2, circles 0.24, rings 0.08, 8gaussians 0.354, pinwheel 0.1 across a blade and three "
        "times "
        "that along it before doubling, checkerboard none)",
        {.min = 0.05, .max = 0.5});
    v.field("num_examples", num_examples, "points in the training split", {.min = 1, .max = 1e9});
    v.field("num_held_out", num_held_out, "points in the validation split, and as many in the test split",
            {.min = 0, .max = 1e9});
    v.field("seed", seed, "point i of a split is a function of this seed, the split and i", {.min = 0});
  }
};

/// Labels are the parts: which moon, ring, blade, square or Gaussian; log_density is that of the whole.
std::unique_ptr<Dataset> make_toy2d(const Toy2dOptions& options, Split split);

}  // namespace gen
