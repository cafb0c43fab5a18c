#include "gen/io/image.h"

#include <gtest/gtest.h>
#include <torch/torch.h>
#include <zlib.h>

#include "damage.h"
#include "gen/core/error.h"
#include "gen/io/file.h"
#include "support/support.h"

namespace gen {
namespace {

using test::read_text;

std::filesystem::path golden(const std::string& name) {
  return test::source_dir() / "tests/golden/images" / name;
}

std::string refusal(const std::function<void()>& work) {
  try {
    work();
    return "";
  } catch (const DataError& error) {
    return error.what();
  }
}

Image gradient(int64_t width, int64_t height, int64_t channels) {
  Image image{width, height, channels, {}};
  for (int64_t i = 0; i < width * height * channels; ++i)
    image.pixels.push_back(static_cast<uint8_t>(i * 7 % 256));
  return image;
}

TEST(Png, RoundTripIsExact) {
  for (int64_t channels : {1, 3}) {
    const auto image = gradient(13, 7, channels);
    const auto back = decode_image(encode_png(image), "x");
    EXPECT_EQ(back.width, 13);
    EXPECT_EQ(back.height, 7);
    EXPECT_EQ(back.channels, channels);
    EXPECT_EQ(back.pixels, image.pixels);
  }
}

TEST(Png, TextComesBack) {
  const test::TempDir folder;
  const Metadata text = {{"seed", "7"}, {"name", "\xC3\xA9\xE2\x82\xAC"}, {"config", std::string(500, 'c')}};
  write_png(folder / "x.png", gradient(4, 4, 3), text);
  EXPECT_EQ(read_png_text(folder / "x.png"), text);
  EXPECT_EQ(read_image(folder / "x.png").pixels, gradient(4, 4, 3).pixels);
}

// Each golden picture beside the pixels that Pillow decodes (make.py).
TEST(Image, DecodesAsPillowDoes) {
  for (const char* name :
       {"grey.png", "palette.png", "palette_alpha.png", "one_bit.png", "sixteen_bit.png", "rgba.png",
        "grey_alpha.png", "interlaced.png", "grey.jpg", "rgb.jpg", "progressive.jpg", "exif3.jpg",
        "exif5.jpg", "exif6.jpg", "exif7.jpg", "exif8.jpg", "exif2.jpg", "exif4.jpg"}) {
    const auto image = read_image(golden(name));
    const auto expected = read_image(golden(std::string(name) + ".expected.png"));
    ASSERT_EQ(image.width, expected.width) << name;
    ASSERT_EQ(image.height, expected.height) << name;
    const auto a = to_tensor(image).to(at::kInt).expand({3, -1, -1}), b = to_tensor(expected).to(at::kInt);
    EXPECT_LE((a - b).abs().max().item<int>(), 1) << name;
  }
}

TEST(Image, CmykIsRefused) {
  EXPECT_NE(refusal([] { read_image(golden("cmyk.jpg")); }).find("CMYK"), std::string::npos);
}

TEST(Image, SizeIsCappedBeforeAllocation) {
  const auto png = encode_png(gradient(20, 10, 1));
  EXPECT_NE(refusal([&] { decode_image(png, "x", 199); }).find("at most 199 pixels, got 20 x 10"),
            std::string::npos);
  EXPECT_EQ(refusal([&] { decode_image(png, "x", 200); }), "");
  EXPECT_NE(refusal([&] { decode_image(read_text(golden("rgb.jpg")), "x", 10); }).find("at most 10 pixels"),
            std::string::npos);
}

// A chunk of the PNG's `type`, before its IDAT.
std::string with_chunk(std::string png, const std::string& type, uint32_t claimed, const std::string& data) {
  constexpr size_t kAfterHeader = 33;
  std::string chunk;
  for (const int shift : {24, 16, 8, 0}) chunk += static_cast<char>(claimed >> shift);
  chunk += type + data;
  const auto crc =
      ::crc32(0, reinterpret_cast<const Bytef*>(chunk.data() + 4), static_cast<uInt>(chunk.size() - 4));
  for (const int shift : {24, 16, 8, 0}) chunk += static_cast<char>(crc >> shift);
  return png.insert(kAfterHeader, chunk);
}

// libpng would make room for 2 GB, and clear it, before it finds the end of the file.
TEST(Png, NoChunkMayClaimMoreThanTheFileHolds) {
  for (const char* type : {"tEXt", "zTXt", "iTXt", "sPLT", "pCAL", "sCAL", "iCCP", "eXIf", "tRNS", "PLTE"})
    EXPECT_NE(refusal([&] {
                decode_image(with_chunk(encode_png(gradient(2, 2, 1)), type, 0x7fffffff, "k"), "x.png");
              }).find("cut short"),
              std::string::npos)
        << type;
}

// Compressed texts and profiles are not unfolded: damaged ones do not matter.
TEST(Png, TextsAndProfilesAreSkipped) {
  const auto image = gradient(2, 2, 1);
  for (const char* type : {"zTXt", "iTXt", "iCCP", "sPLT", "tEXt", "qQqq"}) {
    const std::string data("key\0\0garbage", 12);
    const auto png = with_chunk(encode_png(image), type, static_cast<uint32_t>(data.size()), data);
    EXPECT_EQ(decode_image(png, "x.png").pixels, image.pixels) << type;
  }
}

// 625 bytes of baseline JPEG whose header claims 8,000 x 8,000 pixels.
TEST(Jpeg, NoHeaderMayClaimMoreThanTheFileHolds) {
  std::string jpeg = read_text(golden("rgb.jpg"));
  const size_t frame = jpeg.find("\xff\xc0");
  ASSERT_NE(frame, std::string::npos);
  for (const size_t at : {frame + 5, frame + 7}) jpeg[at] = '\x1f', jpeg[at + 1] = '\x40';
  EXPECT_NE(refusal([&] { decode_image(jpeg, "x.jpg"); }).find("bytes cannot hold 8000 x 8000 pixels"),
            std::string::npos);
}

TEST(Image, OtherFormatsAreNamed) {
  EXPECT_NE(refusal([] {
              decode_image("GIF89a......", "x.gif");
            }).find("x.gif: expected a PNG or a JPEG, got a GIF"),
            std::string::npos);
  EXPECT_NE(refusal([] { decode_image("", "x"); }).find("an empty file"), std::string::npos);
}

TEST(Image, AnyTruncationIsADataError) {
  for (const auto& whole :
       {encode_png(gradient(9, 9, 3)), read_text(golden("rgb.jpg")), read_text(golden("progressive.jpg"))})
    for (size_t size = 0; size < whole.size() - 2; size += 1 + whole.size() / 200)
      EXPECT_NE(refusal([&] { decode_image(whole.substr(0, size), "x"); }), "")
          << size << " of " << whole.size();
}

TEST(Image, DamageNeverCrashes) {
  for (const auto& whole : {encode_png(gradient(9, 9, 3)), read_text(golden("palette_alpha.png")),
                            read_text(golden("exif6.jpg")), read_text(golden("progressive.jpg"))}) {
    int refused = 0;
    test::for_each_damage(whole, 1000, [&](const std::string& bytes) {
      const auto told = refusal([&] { decode_image(bytes, "x", 1 << 16); });
      refused += told.empty() ? 0 : 1;
      for (const char* foreign :
           {"CRC", "IHDR", "IDAT", "chunk", "Huffman", "marker", "SOF", "JPEG file", "0x"})
        EXPECT_EQ(told.find(foreign), std::string::npos) << "another library's words: " << told;
    });
    EXPECT_GT(refused, 400);
  }
}

TEST(Image, WhatIsWrongWithAFileIsToldInOurWords) {
  std::string bits = encode_png(gradient(2, 2, 1)), torn = bits;
  constexpr size_t kBitDepth = 24;
  bits[kBitDepth] = 3;
  const auto crc = ::crc32(0, reinterpret_cast<const Bytef*>(bits.data() + 12), 17);
  for (size_t i = 0; i < 4; ++i) bits[29 + i] = static_cast<char>(crc >> (24 - 8 * i));
  EXPECT_NE(refusal([&] { decode_image(bits, "x.png"); }).find("its header says what no PNG has"),
            std::string::npos);
  torn[kBitDepth + 6] = '!';
  EXPECT_EQ(refusal([&] { decode_image(torn, "x.png"); }),
            "x.png: not a PNG that can be read: a part of it is damaged (its checksum differs)");
  const std::string lossless("\xff\xd8\xff\xc3\0\x0b\x08\0\x08\0\x08\1\1\x11\0\xff\xd9", 17);
  EXPECT_NE(
      refusal([&] { decode_image(lossless, "x.jpg"); }).find("of a kind that is not read, such as lossless"),
      std::string::npos);
}

TEST(Image, TensorsRoundHalfToEven) {
  const auto image =
      to_image(torch::tensor({0.5 / 255, 1.5 / 255, 2.5 / 255, -1.0, 2.0, 1.0}, at::kDouble).view({1, 2, 3}));
  EXPECT_EQ(image.pixels, (std::vector<uint8_t>{0, 2, 2, 0, 255, 255}));
  EXPECT_EQ(image.width, 3);
  EXPECT_THROW(to_image(torch::zeros({2, 4, 4})), ShapeError);
  EXPECT_THROW(to_image(torch::zeros({4, 4})), ShapeError);
}

TEST(Image, ToTensorInvertsToImage) {
  const auto image = gradient(5, 4, 3);
  const auto x = to_tensor(image);
  EXPECT_EQ(x.sizes(), (std::vector<int64_t>{3, 4, 5}));
  EXPECT_EQ(to_image(x.to(at::kFloat) / 255).pixels, image.pixels);
}

TEST(Grid, PlacesTilesRowByRow) {
  const auto images = torch::tensor({0.0, 0.2, 0.4, 0.6, 1.0}).view({5, 1, 1, 1}).expand({5, 1, 2, 3});
  const auto grid = make_grid(images, 0, 1);  // 3 columns, 2 rows
  EXPECT_EQ(grid.width, 3 * 4 + 1);
  EXPECT_EQ(grid.height, 2 * 3 + 1);
  const auto at = [&](int64_t x, int64_t y) {
    return int{grid.pixels[static_cast<size_t>(y * grid.width + x)]};
  };
  EXPECT_EQ(at(0, 0), 128);
  EXPECT_EQ(at(1, 1), 0);
  EXPECT_EQ(at(5, 1), 51);
  EXPECT_EQ(at(1, 4), 153);
  EXPECT_EQ(at(7, 5), 255);
  EXPECT_EQ(at(10, 5), 128);  // the empty cell
}

TEST(Grid, EnlargesSmallImagesByAWholeFactor) {
  const auto grid = make_grid(torch::rand({4, 3, 5, 5}), 2, 2, 12);
  EXPECT_EQ(grid.height, 2 * 15 + 3 * 2);
  EXPECT_EQ(grid.channels, 3);
  EXPECT_THROW(make_grid(torch::rand({0, 3, 5, 5})), ShapeError);
}

}  // namespace
}  // namespace gen
