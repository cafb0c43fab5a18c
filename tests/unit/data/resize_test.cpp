#include "data/transforms/resize.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "gen/config/json.h"
#include "support/support.h"

namespace gen {
namespace {

Json golden() { return Json::parse(test::read_text(test::source_dir() / "tests/golden/resize_pil.json")); }

/// The picture of resize_pil.py.
Image picture(const Json& file) {
  Image image{file["width"].get<int64_t>(), file["height"].get<int64_t>(), 3, {}};
  for (int64_t y = 0; y < image.height; ++y)
    for (int64_t x = 0; x < image.width; ++x)
      for (int64_t c = 0; c < 3; ++c)
        image.pixels.push_back(static_cast<uint8_t>(x * 31 + y * 17 * (c + 1) + x * y * 5 + c * 77));
  return image;
}

int largest_difference(const std::vector<uint8_t>& a, const std::vector<uint8_t>& b) {
  if (a.size() != b.size()) return 256;
  int largest = 0;
  for (size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(int{a[i]} - int{b[i]}));
  return largest;
}

TEST(Resize, EqualsPilWithinOneLevel) {
  const Json file = golden();
  for (const auto& each : file["cases"]) {
    const auto& r = each["region"];
    const Region region{r[0].get<int64_t>(), r[1].get<int64_t>(), r[2].get<int64_t>(), r[3].get<int64_t>()};
    const Image scaled =
        resize(picture(file), region, each["size"][0].get<int64_t>(), each["size"][1].get<int64_t>());
    EXPECT_LE(largest_difference(scaled.pixels, each["pixels"].get<std::vector<uint8_t>>()), 1)
        << each["size"];
  }
}

TEST(Resize, KeepsAnImageOfTheSameSizeAndAFlatOne) {
  const Image image = picture(golden());
  EXPECT_EQ(resize(image, {0, 0, image.width, image.height}, image.width, image.height).pixels, image.pixels);
  const Image flat{50, 40, 1, std::vector<uint8_t>(2000, 201)};
  EXPECT_EQ(resize(flat, {5, 0, 40, 40}, 7, 7).pixels, std::vector<uint8_t>(49, 201));
}

TEST(WithChannels, LumaEqualsPil) {
  const Json file = golden();
  EXPECT_EQ(with_channels(picture(file), 1).pixels, file["luma"].get<std::vector<uint8_t>>());
  const Image grey{2, 1, 1, {7, 9}};
  EXPECT_EQ(with_channels(grey, 3).pixels, (std::vector<uint8_t>{7, 7, 7, 9, 9, 9}));
}

}  // namespace
}  // namespace gen
