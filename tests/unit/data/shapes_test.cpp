#include "data/shapes/shapes.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <set>

#include "gen/data/loader.h"
#include "support/support.h"

namespace gen {
namespace {

TEST(Shapes, CaptionsTellWhatIsDrawn) {
  const auto data = make_shapes({}, Split::train);
  std::set<std::string> captions;
  for (int64_t i = 0; i < 2000; ++i) {
    const Example example = data->get(i, nullptr);
    captions.insert(example.caption);
    EXPECT_NE(example.caption.find(data->spec().class_names[static_cast<size_t>(example.label)]),
              std::string::npos);
    const auto mass = (example.x.to(torch::kFloat) - example.x.select(1, 0).select(1, 0).view({3, 1, 1}))
                          .abs()
                          .sum(0);  // [H, W]: how far from the ground, whose colour is in the corner
    const auto along_x = mass.sum(0), along_y = mass.sum(1);
    const auto axis = torch::arange(32, torch::kFloat) + 0.5F - 16;
    const double x = ((along_x * axis).sum() / mass.sum()).item<double>();
    const double y = ((along_y * axis).sum() / mass.sum()).item<double>();
    EXPECT_EQ(example.caption.ends_with("on the left"), x < -3.5) << example.caption;
    EXPECT_EQ(example.caption.ends_with("on the right"), x > 3.5) << example.caption;
    EXPECT_EQ(example.caption.ends_with("at the top"), y < -3.5) << example.caption;
    EXPECT_EQ(example.caption.ends_with("at the bottom"), y > 3.5) << example.caption;
  }
  EXPECT_GT(captions.size(), 350U);  // of 6 shapes x 6 colours x 2 sizes x 5 places
}

TEST(Shapes, AreAllLargeWithoutSmallOnes) {
  const Batch all = read_batch(*make_shapes({}, Split::train), 0, 50),
              large = read_batch(*make_shapes({.small = false}, Split::train), 0, 50);
  EXPECT_TRUE(torch::equal(all.label, large.label));
  for (size_t i = 0; i < 50; ++i) {
    EXPECT_TRUE(large.captions[i].starts_with("a large ")) << large.captions[i];
    if (all.captions[i].starts_with("a large ")) {
      EXPECT_TRUE(torch::equal(all.x[i], large.x[i]));
    }
  }
}

TEST(Shapes, AreTheSamePictureAtAnySizeAndGrey) {
  const auto small = make_shapes({.size = 16}, Split::train), large = make_shapes({.size = 64}, Split::train);
  const Batch a = read_batch(*small, 0, 50), b = read_batch(*large, 0, 50);
  EXPECT_EQ(a.captions, b.captions);
  // A pixel on an edge is covered by area: two samplings of it may differ by a part of its contrast.
  EXPECT_LT((torch::avg_pool2d(b.x, 4) - a.x).abs().max().item<double>(), 0.35);
  EXPECT_LT((torch::avg_pool2d(b.x, 4) - a.x).abs().mean().item<double>(), 0.005);
  const Batch grey = read_batch(*make_shapes({.channels = 1}, Split::train), 0, 50);
  EXPECT_EQ(grey.x.sizes(), (std::vector<int64_t>{50, 1, 32, 32}));
  EXPECT_EQ(grey.captions[0].find("red"), std::string::npos);
}

TEST(Shapes, SeedsAndSplitsDiffer) {
  const auto first = read_batch(*make_shapes({}, Split::train), 0, 20).x;
  EXPECT_FALSE(torch::equal(first, read_batch(*make_shapes({}, Split::test), 0, 20).x));
  EXPECT_FALSE(torch::equal(first, read_batch(*make_shapes({.seed = 1}, Split::train), 0, 20).x));
}

}  // namespace
}  // namespace gen
