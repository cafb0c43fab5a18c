// PNG and JPEG, through libpng and libjpeg-turbo, and grids of images.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "gen/io/tensor_map.h"

namespace gen {

/// 8-bit pixels, row by row, channels interleaved; 1 (grey) or 3 (RGB) channels.
struct Image {
  int64_t width = 0, height = 0, channels = 0;
  std::vector<uint8_t> pixels;
};

/// By content, not by name. Palette, 16-bit and alpha PNGs become 8-bit grey or RGB (alpha over white); CMYK is
/// refused; EXIF orientation is applied. `max_pixels` bounds what a header may claim. Throws DataError.
Image read_image(const std::filesystem::path& path, int64_t max_pixels = int64_t{1} << 26);
Image decode_image(const std::string& bytes, const std::string& name, int64_t max_pixels = int64_t{1} << 26);
/// `text` becomes tEXt chunks.
void write_png(const std::filesystem::path& path, const Image& image, const Metadata& text = {});
std::string encode_png(const Image& image, const Metadata& text = {});
/// The tEXt chunks of a PNG.
Metadata read_png_text(const std::filesystem::path& path);

/// [C, H, W] in [0, 1] (clamped), C 1 or 3, to pixels: round(255 x), half to even. Throws NumericalError where a value
/// is not finite: it would pass for black or white.
Image to_image(const at::Tensor& x);
/// uint8 [C, H, W].
at::Tensor to_tensor(const Image& image);
/// [N, C, H, W] in [0, 1] as rows of `columns` tiles (0: near square) with `padding` pixels between; small images
/// are enlarged by a whole factor so that a tile is at least `min_tile` pixels high. Throws NumericalError as to_image().
Image make_grid(const at::Tensor& images, int64_t columns = 0, int64_t padding = 2, int64_t min_tile = 1);

}  // namespace gen
