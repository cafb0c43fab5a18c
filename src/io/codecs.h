// PNG and JPEG codecs behind gen/io/image.h. libpng and libjpeg report errors with longjmp: every object with
// a destructor lives outside the frames that a jump leaves.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "gen/io/image.h"

namespace gen::codecs {

/// A picture before its EXIF orientation is applied (1: as it is; EXIF 2.32, tag 0x0112).
struct Decoded {
  Image image;
  int orientation = 1;
};

Decoded decode_png(std::string_view bytes, const std::string& name, int64_t max_pixels);
Decoded decode_jpeg(std::string_view bytes, const std::string& name, int64_t max_pixels);
/// Throws DataError where width * height is 0 or beyond `max_pixels`: before anything is allocated.
void check_size(uint64_t width, uint64_t height, int64_t max_pixels, const std::string& name);
/// The orientation in a TIFF block (what follows "Exif\0\0"); 1 where there is none or it is malformed.
int exif_orientation(std::string_view tiff);
/// The picture turned and mirrored as the orientation (1 to 8) says.
Image oriented(Image image, int orientation);

}  // namespace gen::codecs
