#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstdio>

#include <jpeglib.h>
// After jpeglib.h, whose types it needs.
#include <jerror.h>

#include "gen/core/error.h"
#include "io/codecs.h"

namespace gen {
namespace {

constexpr int kMostScans = 100;  // a progressive file of many scans costs a pass over the picture for each
constexpr std::string_view kExif("Exif\0\0", 6);

// Of libjpeg's warnings, those that mean pixels were lost; the others (stray bytes, odd markers) are
// harmless.
bool is_damage(int code) {
  constexpr std::array kDamage = {JWRN_HIT_MARKER,     JWRN_JPEG_EOF,          JWRN_HUFF_BAD_CODE,
                                  JWRN_ARITH_BAD_CODE, JWRN_BOGUS_PROGRESSION, JWRN_MUST_RESYNC,
                                  JWRN_NOT_SEQUENTIAL};
  return std::find(kDamage.begin(), kDamage.end(), static_cast<J_MESSAGE_CODE>(code)) != kDamage.end();
}

// libjpeg's reasons, in words that say what is wrong with the file.
const char* meaning(int code) {
  switch (code) {
    case JERR_INPUT_EMPTY:
    case JERR_INPUT_EOF:
    case JWRN_JPEG_EOF:
      return "the file is cut short";
    case JERR_NO_IMAGE:
    case JERR_SOS_NO_SOF:
    case JERR_SOF_NO_SOS:
      return "it holds no picture";
    case JERR_EMPTY_IMAGE:
      return "its width or height is 0";
    case JERR_BAD_PRECISION:
      return "its values have more than 8 bits (save it with 8)";
    case JERR_SOF_UNSUPPORTED:
    case JERR_ARITH_NOTIMPL:
    case JERR_NOTIMPL:
    case JERR_NOT_COMPILED:
    case JERR_CONVERSION_NOTIMPL:
      return "it is of a kind that is not read, such as lossless (save it as an ordinary JPEG, or as PNG)";
    case JERR_NO_HUFF_TABLE:
    case JERR_NO_QUANT_TABLE:
      return "a table that its data need is missing";
    default:
      return "its data are damaged";
  }
}

struct Jpeg {
  jpeg_decompress_struct info{};
  jpeg_error_mgr manager{};
  jpeg_progress_mgr progress{};
  std::jmp_buf jump;
  bool no_memory = false;
  const char* error = "";

  Jpeg() {
    info.err = jpeg_std_error(&manager);
    info.client_data = this;
    manager.error_exit = on_error;
    manager.emit_message = on_message;
    progress.progress_monitor = on_progress;
  }
  ~Jpeg() { jpeg_destroy_decompress(&info); }
  Jpeg(const Jpeg&) = delete;
  Jpeg& operator=(const Jpeg&) = delete;

  [[noreturn]] static void on_error(j_common_ptr info) {
    auto& self = *static_cast<Jpeg*>(info->client_data);
    self.error = meaning(info->err->msg_code);
    self.no_memory = info->err->msg_code == JERR_OUT_OF_MEMORY;
    std::longjmp(self.jump, 1);
  }
  static void on_message(j_common_ptr info, int level) {
    if (level < 0 && is_damage(info->err->msg_code)) on_error(info);
  }
  static void on_progress(j_common_ptr info) {
    if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number <= kMostScans) return;
    auto& self = *static_cast<Jpeg*>(info->client_data);
    static_assert(kMostScans == 100);
    self.error = "more than 100 scans";
    std::longjmp(self.jump, 1);
  }
};

// Runs `work`, which must own nothing, and tells whether libjpeg was content.
template <class Work>
bool guarded(Jpeg& jpeg, Work work) {
  if (setjmp(jpeg.jump) != 0) return false;
  work(&jpeg.info);
  return true;
}

// Every block of a scan takes a bit at least, unless it is coded arithmetically, where no such bound holds.
bool fits_in(const jpeg_decompress_struct& info, size_t bytes) {
  uint64_t blocks = 0;
  for (int i = 0; i < info.num_components; ++i)
    blocks += uint64_t{info.comp_info[i].width_in_blocks} * info.comp_info[i].height_in_blocks;
  return info.arith_code || blocks / 8 <= bytes;
}

int orientation_of(const jpeg_decompress_struct& info) {
  for (auto marker = info.marker_list; marker != nullptr; marker = marker->next) {
    const std::string_view data(reinterpret_cast<const char*>(marker->data), marker->data_length);
    if (marker->marker == JPEG_APP0 + 1 && data.starts_with(kExif))
      return codecs::exif_orientation(data.substr(kExif.size()));
  }
  return 1;
}

}  // namespace

codecs::Decoded codecs::decode_jpeg(std::string_view bytes, const std::string& name, int64_t max_pixels) {
  Jpeg jpeg;
  auto& info = jpeg.info;
  const auto check = [&](bool content) {
    if (jpeg.no_memory) throw OutOfMemoryError(fmt::format("{}: no memory is left to read it", name));
    if (!content) throw DataError(fmt::format("{}: not a JPEG that can be read: {}", name, jpeg.error));
  };
  check(guarded(jpeg, [&](j_decompress_ptr p) {
    jpeg_create_decompress(p);
    p->progress = &jpeg.progress;
    jpeg_save_markers(p, JPEG_APP0 + 1, 0xFFFF);
    jpeg_mem_src(p, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
    jpeg_read_header(p, TRUE);
  }));
  check_size(info.image_width, info.image_height, max_pixels, name);
  if (!fits_in(info, bytes.size()))
    throw DataError(fmt::format("{}: not a JPEG that can be read: {} bytes cannot hold {} x {} pixels", name,
                                bytes.size(), info.image_width, info.image_height));
  if (info.jpeg_color_space == JCS_CMYK || info.jpeg_color_space == JCS_YCCK)
    throw DataError(fmt::format("{}: expected a grey or RGB JPEG, got CMYK (convert it to RGB)", name));
  check(guarded(jpeg, [](j_decompress_ptr p) {
    p->out_color_space = p->jpeg_color_space == JCS_GRAYSCALE ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_start_decompress(p);
  }));
  Decoded out;
  out.orientation = orientation_of(info);  // before jpeg_finish_decompress, which frees the markers
  auto& image = out.image;
  image.width = info.output_width, image.height = info.output_height, image.channels = info.output_components;
  image.pixels.resize(static_cast<size_t>(image.width * image.height * image.channels));
  check(guarded(jpeg, [&](j_decompress_ptr p) {
    const size_t row_bytes = size_t{p->output_width} * static_cast<size_t>(p->output_components);
    while (p->output_scanline < p->output_height) {
      JSAMPROW row = image.pixels.data() + p->output_scanline * row_bytes;
      jpeg_read_scanlines(p, &row, 1);
    }
    jpeg_finish_decompress(p);
  }));
  return out;
}

}  // namespace gen
