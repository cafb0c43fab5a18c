#include <fmt/format.h>
#include <png.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstring>

#include "gen/core/check.h"
#include "gen/io/file.h"
#include "io/codecs.h"

namespace gen {
namespace {

constexpr uint64_t kLargestFile = uint64_t{1} << 30;
constexpr uint64_t kDeflateRatio = 1032;  // the most that deflate can expand (zlib's technical details)

// What both directions share. Jumps land in `jump`.
struct Png {
  png_structp png = nullptr;
  png_infop info = nullptr;
  bool writing = false;
  std::string_view input;
  std::string output;
  std::jmp_buf jump;
  std::array<char, 160> error{};

  explicit Png(bool writes) : writing(writes) {
    png = writes ? png_create_write_struct(PNG_LIBPNG_VER_STRING, this, on_error, on_warning)
                 : png_create_read_struct(PNG_LIBPNG_VER_STRING, this, on_error, on_warning);
    info = png == nullptr ? nullptr : png_create_info_struct(png);
    if (info == nullptr) {
      destroy();
      throw OutOfMemoryError("no memory is left to read or write a PNG");
    }
  }
  ~Png() { destroy(); }
  Png(const Png&) = delete;
  Png& operator=(const Png&) = delete;

  void destroy() {
    writing ? png_destroy_write_struct(&png, &info) : png_destroy_read_struct(&png, &info, nullptr);
  }
  [[noreturn]] static void on_error(png_structp png, png_const_charp message) {
    auto& self = *static_cast<Png*>(png_get_error_ptr(png));
    std::strncpy(self.error.data(), message, self.error.size() - 1);
    std::longjmp(self.jump, 1);
  }
  static void on_warning(png_structp, png_const_charp) {}
  static void on_read(png_structp png, png_bytep to, size_t bytes) {
    auto& self = *static_cast<Png*>(png_get_io_ptr(png));
    if (bytes > self.input.size()) png_error(png, "the file is cut short");
    std::memcpy(to, self.input.data(), bytes);
    self.input.remove_prefix(bytes);
  }
  static void on_write(png_structp png, png_bytep from, size_t bytes) {
    static_cast<Png*>(png_get_io_ptr(png))->output.append(reinterpret_cast<const char*>(from), bytes);
  }
  static void on_flush(png_structp) {}
};

// Runs `work`, which must own nothing, and tells whether libpng was content.
template <class Work>
bool guarded(Png& png, Work work) {
  if (setjmp(png.jump) != 0) return false;
  work(png.png, png.info);
  return true;
}

// Texts, profiles and palettes that nobody asked for are skipped unread: each may unfold to a thousand times its
// size. Transparency is no such chunk to libpng, and the orientation is wanted.
void skip_what_is_not_needed(png_structp png) {
  static constexpr png_byte kOrientation[] = "eXIf";
  png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
  png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_AS_DEFAULT, kOrientation, 1);
}

// Asks libpng for 8-bit grey or RGB, with alpha where there is any.
void set_transforms(png_structp png, png_infop info) {
  png_set_expand(png);    // palette -> RGB, 1, 2, 4 -> 8 bits, tRNS -> alpha
  png_set_scale_16(png);  // round(v * 255 / 65535)
  png_set_interlace_handling(png);
  png_read_update_info(png, info);
}

// Alpha over white: v a + 255 (1 - a), rounded.
void drop_alpha(std::vector<uint8_t>& pixels, size_t channels) {
  const size_t colours = channels - 1, count = pixels.size() / channels;
  for (size_t i = 0; i < count; ++i) {
    const unsigned alpha = pixels[i * channels + colours];
    for (size_t c = 0; c < colours; ++c) {
      const unsigned value = pixels[i * channels + c] * alpha + 255U * (255U - alpha);
      pixels[i * colours + c] = static_cast<uint8_t>((value + 127U) / 255U);
    }
  }
  pixels.resize(count * colours);
}

uint32_t big_endian(std::string_view bytes) {
  uint32_t value = 0;
  for (unsigned char c : bytes.substr(0, 4)) value = value << 8 | c;
  return value;
}

// libpng makes room for what a chunk claims before it reads it, so no chunk may claim more than the file holds.
void check_chunks(std::string_view bytes, const std::string& name) {
  constexpr size_t kSignature = 8, kFrame = 12;  // of a chunk: length, type, checksum
  for (auto rest = bytes.substr(kSignature); !rest.empty();) {
    const uint64_t length = rest.size() < kFrame ? 0 : big_endian(rest);
    if (rest.size() < kFrame || length > rest.size() - kFrame)
      throw DataError(fmt::format("{}: not a PNG that can be read: the file is cut short", name));
    if (rest.substr(4, 4) == "IEND") return;
    rest.remove_prefix(kFrame + length);
  }
}

// libpng's and zlib's reasons, in words that say what is wrong with the file.
[[noreturn]] void refuse(std::string_view reason, const std::string& name) {
  struct Meaning {
    std::string_view sign, words;
  };
  static constexpr Meaning kMeanings[] = {
      {"cut short", "the file is cut short"},
      {"CRC error", "a part of it is damaged (its checksum differs)"},
      {"Invalid IHDR",
       "its header says what no PNG has (size, bits a value, kind of colour, compression, interlacing)"},
      {"integer out of range", "its header gives a side beyond 2147483647 pixels"},
      {"Missing IHDR", "its header is missing"},
      {"Missing PLTE", "its palette is missing"},
      {"out of place", "its parts are out of order"},
      {"critical chunk", "it needs a part of a kind that is not known"},
      {"Not enough", "its pixels end early"},
      {"Too much", "more data follow its pixels"},
  };
  if (reason.find("emory") != reason.npos)
    throw OutOfMemoryError(fmt::format("{}: no memory is left to read it", name));
  const auto found = std::find_if(std::begin(kMeanings), std::end(kMeanings), [&](const Meaning& meaning) {
    return reason.find(meaning.sign) != reason.npos;
  });
  throw DataError(
      fmt::format("{}: not a PNG that can be read: {}", name,
                  found == std::end(kMeanings) ? "its compressed pixels are damaged" : found->words));
}

int orientation_of(png_structp png, png_infop info) {
  png_uint_32 bytes = 0;
  png_bytep data = nullptr;
  if (png_get_eXIf_1(png, info, &bytes, &data) == 0 || data == nullptr) return 1;
  return codecs::exif_orientation({reinterpret_cast<const char*>(data), bytes});
}

}  // namespace

codecs::Decoded codecs::decode_png(std::string_view bytes, const std::string& name, int64_t max_pixels) {
  Png png(/*writes=*/false);
  png.input = bytes;
  const auto check = [&](bool content) {
    if (!content) refuse(png.error.data(), name);
  };
  check_chunks(bytes, name);
  check(guarded(png, [&](png_structp p, png_infop info) {
    png_set_read_fn(p, &png, Png::on_read);
    png_set_user_limits(p, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    skip_what_is_not_needed(p);
    png_read_info(p, info);
  }));
  const uint64_t width = png_get_image_width(png.png, png.info),
                 height = png_get_image_height(png.png, png.info);
  check_size(width, height, max_pixels, name);
  if (const uint64_t stored = png_get_rowbytes(png.png, png.info) * height;
      stored / kDeflateRatio > bytes.size())
    throw DataError(fmt::format("{}: not a PNG that can be read: {} bytes cannot hold {} x {} pixels", name,
                                bytes.size(), width, height));
  check(guarded(png, set_transforms));
  const size_t channels = png_get_channels(png.png, png.info);
  Decoded out;
  out.image.width = static_cast<int64_t>(width), out.image.height = static_cast<int64_t>(height);
  auto& pixels = out.image.pixels;
  pixels.resize(width * height * channels);
  std::vector<png_bytep> rows(height);
  for (size_t y = 0; y < height; ++y) rows[y] = pixels.data() + y * width * channels;
  GEN_CHECK(png_get_rowbytes(png.png, png.info) == width * channels,
            "a PNG's row is {} bytes for {} pixels of {} channels", png_get_rowbytes(png.png, png.info),
            width, channels);
  check(guarded(png, [&](png_structp p, png_infop info) {
    png_read_image(p, rows.data());
    png_read_end(p, info);
  }));
  out.orientation = orientation_of(png.png, png.info);
  if (channels == 2 || channels == 4) drop_alpha(pixels, channels);
  out.image.channels = channels < 3 ? 1 : 3;
  return out;
}

std::string encode_png(const Image& image, const Metadata& text) {
  GEN_CHECK(image.width > 0 && image.height > 0 && (image.channels == 1 || image.channels == 3) &&
                image.pixels.size() == static_cast<size_t>(image.width * image.height * image.channels),
            "an image of {} x {} x {} has {} bytes", image.width, image.height, image.channels,
            image.pixels.size());
  std::vector<png_bytep> rows;
  for (int64_t y = 0; y < image.height; ++y)
    rows.push_back(const_cast<png_bytep>(image.pixels.data() + y * image.width * image.channels));
  std::vector<png_text> chunks;
  for (const auto& [key, value] : text) {
    png_text chunk{};
    const bool ascii = std::all_of(value.begin(), value.end(), [](char c) { return c > 0; });
    // tEXt is Latin-1; what is beyond ASCII goes into iTXt, which is UTF-8.
    chunk.compression = ascii ? PNG_TEXT_COMPRESSION_NONE : PNG_ITXT_COMPRESSION_NONE;
    chunk.key = const_cast<char*>(key.c_str());
    chunk.text = const_cast<char*>(value.c_str());
    (ascii ? chunk.text_length : chunk.itxt_length) = value.size();
    chunks.push_back(chunk);
  }
  Png png(/*writes=*/true);
  const bool content = guarded(png, [&](png_structp p, png_infop info) {
    png_set_write_fn(p, &png, Png::on_write, Png::on_flush);
    png_set_user_limits(p, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_IHDR(p, info, static_cast<png_uint_32>(image.width), static_cast<png_uint_32>(image.height), 8,
                 image.channels == 1 ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    if (!chunks.empty()) png_set_text(p, info, chunks.data(), static_cast<int>(chunks.size()));
    png_write_info(p, info);
    png_write_image(p, rows.data());
    png_write_end(p, info);
  });
  if (!content) throw OutOfMemoryError("no memory is left to write a PNG");  // the image itself was checked
  return std::move(png.output);
}

namespace {

std::string utf8_of_latin1(std::string_view text) {
  std::string out;
  for (unsigned char c : text) {
    if (c >= 0x80) out.push_back(static_cast<char>(0xC0 | c >> 6));
    out.push_back(static_cast<char>(c < 0x80 ? c : 0x80 | (c & 0x3F)));
  }
  return out;
}

// keyword 0 text (tEXt), or keyword 0 compressed method language 0 translated 0 text (iTXt).
void add_text(std::string_view type, std::string_view data, Metadata& text) {
  const size_t key_end = data.find('\0');
  if (key_end == std::string_view::npos) return;
  const std::string key = utf8_of_latin1(data.substr(0, key_end));
  data.remove_prefix(key_end + 1);
  if (type == "tEXt") {
    text[key] = utf8_of_latin1(data);
    return;
  }
  if (data.size() < 2 || data[0] != 0) return;
  data.remove_prefix(2);
  for (int skipped = 0; skipped < 2; ++skipped) {
    const size_t end = data.find('\0');
    if (end == std::string_view::npos) return;
    data.remove_prefix(end + 1);
  }
  text[key] = std::string(data);
}

}  // namespace

Metadata read_png_text(const std::filesystem::path& path) {
  const std::string bytes = read_file(path, kLargestFile);
  const auto fail = [&](const char* what) { throw DataError(fmt::format("{}: {}", path.string(), what)); };
  std::string_view rest = bytes;
  if (!rest.starts_with("\x89PNG\r\n\x1a\n")) fail("expected a PNG");
  rest.remove_prefix(8);
  Metadata text;
  while (rest.size() >= 12) {
    const uint64_t length = big_endian(rest);
    const std::string_view type = rest.substr(4, 4);
    if (length > rest.size() - 12) break;
    const std::string_view data = rest.substr(8, length);
    const auto crc = ::crc32(0, reinterpret_cast<const Bytef*>(type.data()), static_cast<uInt>(length + 4));
    if (crc != big_endian(rest.substr(8 + length)))
      fail("a chunk of the PNG is corrupted (its checksum differs)");
    if (type == "tEXt" || type == "iTXt") add_text(type, data, text);
    if (type == "IEND") return text;
    rest.remove_prefix(12 + length);
  }
  fail("the PNG is cut short");
  return text;
}

}  // namespace gen
