// The shapes data set: flat coloured shapes on a dark ground, drawn on the spot, with captions and labels.
#pragma once

#include "gen/config/options.h"
#include "gen/data/dataset.h"

namespace gen {

struct ShapesOptions {
  int64_t size = 32;
  int64_t channels = 3;
  int64_t num_examples = 10000;
  int64_t num_held_out = 1000;
  int64_t seed = 0;
  bool small = true;

  void visit(OptionVisitor& v) {
    v.field("size", size, "height and width in pixels", {.min = 8, .max = 1024});
    v.field("channels", channels, "3: coloured shapes on midnight blue; 1: light grey shapes on black",
            {.min = 1, .max = 3});
    v.require(channels == 1 || channels == 3, "channels", "1 or 3", std::to_string(channels));
    v.field("num_examples", num_examples, "images in the training split; each is drawn when it is asked for",
            {.min = 1, .max = 1e9});
    v.field("num_held_out", num_held_out, "images in the validation split, and as many in the test split",
            {.min = 0, .max = 1e9});
    v.field("small", small, "half of the shapes are small; false: all of them are large");
    v.field("seed", seed, "image i of a split is a function of this seed, the split and i", {.min = 0});
  }
};

/// Labels are the kinds of shape; captions read "a large red circle on the left".
std::unique_ptr<Dataset> make_shapes(const ShapesOptions& options, Split split);

}  // namespace gen
