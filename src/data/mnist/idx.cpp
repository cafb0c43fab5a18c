#include "data/mnist/idx.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>

#include "data/mnist/gzip.h"
#include "gen/core/error.h"
#include "gen/io/content.h"
#include "gen/io/file.h"

namespace gen {
namespace {

constexpr uint8_t kUnsignedByte = 0x08;
constexpr uint64_t kMaxBytes = uint64_t{1} << 32;  // six times the largest EMNIST file

// A file that is compressed once more is told by what is in it, not by its being gzip.
std::string guess(std::string_view bytes) {
  const bool compressed = bytes.starts_with("\x1f\x8b");
  const auto content = compressed ? std::string() : content_name(bytes, "");
  return content.empty() ? std::string() : ", which is " + content;
}

void check_magic(const std::array<uint8_t, 4>& magic, std::string_view bytes, const std::string& name,
                 size_t rank) {
  if (magic[0] != 0 || magic[1] != 0)
    throw DataError(fmt::format("{}: not an IDX file: expected it to begin with 0000, got {:02x}{:02x}{}",
                                name, magic[0], magic[1], guess(bytes)));
  if (magic[2] != kUnsignedByte)
    throw DataError(
        fmt::format("{}: expected elements of type 0x08 (unsigned byte), got type 0x{:02x}", name, magic[2]));
  if (magic[3] != rank)
    throw DataError(fmt::format("{}: expected {} dimensions ({}), got {}", name, rank,
                                rank == 3 ? "images" : "labels", magic[3]));
}

}  // namespace

IdxArray parse_idx(std::string_view bytes, const std::string& name, size_t rank) {
  const auto stream = open_bytes(bytes, name);
  std::array<uint8_t, 4> word{};
  stream->read(word.data(), word.size());
  check_magic(word, bytes, name, rank);
  IdxArray array;
  uint64_t size = 1;
  for (size_t i = 0; i < rank; ++i) {
    stream->read(word.data(), word.size());
    const uint64_t dim = uint64_t{word[0]} << 24 | uint64_t{word[1]} << 16 | uint64_t{word[2]} << 8 | word[3];
    array.dims.push_back(static_cast<int64_t>(dim));
    if (dim == 0) throw DataError(fmt::format("{}: dimension {} is 0: the file holds nothing", name, i));
    if (dim > kMaxBytes / size)
      throw DataError(fmt::format("{}: the header claims [{}, ...] bytes, more than the limit of {}", name,
                                  fmt::join(array.dims, ", "), kMaxBytes));
    size *= dim;
  }
  if (size > stream->upper_bound())
    throw DataError(
        fmt::format("{}: the header claims {} bytes of data, which a file of {} bytes cannot hold: it is "
                    "truncated or damaged",
                    name, size, bytes.size()));
  array.values.resize(size);
  stream->read(array.values.data(), size);
  stream->finish();
  return array;
}

IdxArray read_idx(const std::filesystem::path& path, size_t rank) {
  return parse_idx(read_file(path, kMaxBytes + 1024), path.string(), rank);
}

}  // namespace gen
