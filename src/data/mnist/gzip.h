// A byte stream over a buffer that may be gzip-compressed, for readers that know how much they want.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace gen {

class ByteStream {
 public:
  virtual ~ByteStream() = default;
  /// The next `count` bytes. Throws DataError where fewer are there or the compressed data are damaged.
  virtual void read(uint8_t* out, uint64_t count) = 0;
  /// How many bytes can still come, at most: what a reader may believe of a header before it allocates.
  virtual uint64_t upper_bound() const = 0;
  /// Throws DataError where bytes are left, or the checksum of the compressed data does not hold.
  virtual void finish() = 0;
};

/// Over `bytes`, which must outlive it; compressed or not by its first two bytes (RFC 1952, of one member or several, padded
/// with zeros or not). `name` is for errors.
std::unique_ptr<ByteStream> open_bytes(std::string_view bytes, const std::string& name);

}  // namespace gen
