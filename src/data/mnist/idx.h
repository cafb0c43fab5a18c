// The IDX format of MNIST (LeCun & Cortes): two zero bytes, an element type, the rank, a big-endian uint32
// for each dimension, the elements in C order. Strict; plain or gzip-compressed by content.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace gen {

/// An array of unsigned bytes, the only element type that image data sets use.
struct IdxArray {
  std::vector<int64_t> dims;    ///< each at least 1
  std::vector<uint8_t> values;  ///< product of dims
};

/// Throws DataError naming `name` where the magic number, the type, the rank or the size is not exactly as it
/// should be. Allocates no more than the header claims, and no more than 4 GiB or than `bytes` could hold.
IdxArray parse_idx(std::string_view bytes, const std::string& name, size_t rank);
/// The same of a file.
IdxArray read_idx(const std::filesystem::path& path, size_t rank);

}  // namespace gen
