#include "gen/io/npy.h"

#include <ATen/ATen.h>

#include "gen/core/error.h"
#include "gen/io/scatter.h"
#include "support/support.h"

namespace gen {
namespace {

TEST(Npy, WritesTheBytesThatNumpySaves) {
  const auto bytes = encode_npy(at::tensor({1, 2, 3}, at::kInt));
  EXPECT_EQ(bytes.size(), 128u + 12u);
  EXPECT_EQ(bytes.substr(0, 8), std::string("\x93NUMPY\x01\x00", 8));
  EXPECT_EQ(bytes[8], 118);  // header length: 128 - 10
  const std::string header = "{'descr': '<i4', 'fortran_order': False, 'shape': (3, ), }";
  EXPECT_EQ(bytes.substr(10, header.size()), header);
  EXPECT_EQ(bytes[127], '\n');
  EXPECT_EQ(bytes.substr(128), std::string("\1\0\0\0\2\0\0\0\3\0\0\0", 12));
}

TEST(Npy, HeaderAlwaysAlignsTheData) {
  for (int64_t dims = 0; dims < 20; ++dims) {
    const auto bytes = encode_npy(at::zeros(std::vector<int64_t>(static_cast<size_t>(dims), 1), at::kByte));
    EXPECT_EQ((bytes.size() - 1) % 64, 0u) << dims;
  }
}

TEST(Npy, StridesAreFollowed) {
  const auto x = at::arange(6, at::kByte).view({2, 3}).t();
  const auto bytes = encode_npy(x);
  EXPECT_EQ(bytes.substr(bytes.size() - 6), std::string("\0\3\1\4\2\5", 6));
}

TEST(Npy, AnUnknownTypeIsRefused) { EXPECT_THROW(encode_npy(at::zeros({1}, at::kComplexFloat)), DataError); }

TEST(Scatter, PointsAreDrawnWhereTheyLie) {
  const auto image = scatter_plot(at::tensor({-1.0, -1.0, 1.0, 1.0}).view({2, 2}), 101);
  const auto dark = [&](int64_t x, int64_t y) {
    return image.pixels[static_cast<size_t>((y * image.width + x) * 3)] < 190;
  };
  EXPECT_TRUE(dark(16, 85));  // lower left
  EXPECT_TRUE(dark(85, 16));  // upper right: y grows upwards
  EXPECT_FALSE(dark(16, 16));
}

TEST(Scatter, PointsThatAreNotFiniteAreLeftOut) {
  const auto good = at::tensor({0.0, 0.0, 1.0, 2.0}).view({2, 2});
  const auto bad = at::full({1, 2}, NAN, at::kDouble);
  EXPECT_EQ(scatter_plot(at::cat({good, bad})).pixels, scatter_plot(good).pixels);
  EXPECT_EQ(scatter_plot(bad).width, 512);
}

}  // namespace
}  // namespace gen
