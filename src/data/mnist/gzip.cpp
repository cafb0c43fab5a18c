#include "data/mnist/gzip.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <cstring>

#include "gen/core/check.h"
#include "gen/core/error.h"

namespace gen {
namespace {

// deflate's best ratio: 258 bytes from two bits (zlib's technical notes say 1032:1).
constexpr uint64_t kMaxExpansion = 1032;
constexpr uint64_t kWindow = 1U << 15;    // what zlib may hold beside its input
constexpr uint64_t kMaxPiece = 1U << 30;  // zlib counts in 32 bits

constexpr std::string_view kMagic = "\x1f\x8b";

class PlainStream final : public ByteStream {
 public:
  PlainStream(std::string_view bytes, const std::string& name) : rest_(bytes), name_(name) {}
  void read(uint8_t* out, uint64_t count) override {
    if (count > rest_.size())
      throw DataError(fmt::format("{}: the file is truncated: expected {} more bytes, got {}", name_, count,
                                  rest_.size()));
    if (count > 0) std::memcpy(out, rest_.data(), count);
    rest_.remove_prefix(count);
  }
  uint64_t upper_bound() const override { return rest_.size(); }
  void finish() override {
    if (!rest_.empty())
      throw DataError(
          fmt::format("{}: {} bytes follow the data that the header declares", name_, rest_.size()));
  }

 private:
  std::string_view rest_;
  std::string name_;
};

class GzipStream final : public ByteStream {
 public:
  GzipStream(std::string_view bytes, const std::string& name) : rest_(bytes), name_(name) {
    constexpr int kGzipOnly = 16;
    if (inflateInit2(&zlib_, MAX_WBITS + kGzipOnly) != Z_OK) no_memory();
  }
  ~GzipStream() override { inflateEnd(&zlib_); }
  GzipStream(const GzipStream&) = delete;
  GzipStream& operator=(const GzipStream&) = delete;

  void read(uint8_t* out, uint64_t count) override {
    const uint64_t got = inflate_some(out, count);
    if (got < count)
      throw DataError(fmt::format("{}: the compressed data end early: expected {} more bytes, got {}", name_,
                                  count, got));
  }
  uint64_t upper_bound() const override { return (rest_.size() + zlib_.avail_in) * kMaxExpansion + kWindow; }
  void finish() override {
    uint8_t extra = 0;
    if (inflate_some(&extra, 1) > 0)
      throw DataError(fmt::format("{}: more data follow than the header declares", name_));
    if (!rest_.empty())
      throw DataError(fmt::format("{}: {} bytes follow the end of the gzip stream", name_, rest_.size()));
  }

 private:
  [[noreturn]] void no_memory() const {
    throw OutOfMemoryError(fmt::format("{}: no memory is left to unpack it", name_));
  }

  /// A member of the file has ended. Another may follow (RFC 1952, 2.2), and zeros may pad the file, as tapes and
  /// block devices do; gzip and Python read both.
  void end_member() {
    rest_ = {reinterpret_cast<const char*>(zlib_.next_in), rest_.size() + zlib_.avail_in};
    zlib_.avail_in = 0;
    rest_.remove_prefix(std::min(rest_.find_first_not_of('\0'), rest_.size()));
    ended_ = !rest_.starts_with(kMagic);
    if (!ended_)
      GEN_CHECK(inflateReset(&zlib_) == Z_OK, "{}: the next part of a gzip file cannot begin", name_);
  }

  /// Up to `count` bytes; fewer only at the end of the stream.
  uint64_t inflate_some(uint8_t* out, uint64_t count) {
    uint64_t done = 0;
    while (done < count && !ended_) {
      if (zlib_.avail_in == 0 && !rest_.empty()) {
        const auto piece = std::min<uint64_t>(rest_.size(), kMaxPiece);
        // zlib's interface is not const-correct; it only reads from next_in.
        zlib_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(rest_.data()));
        zlib_.avail_in = static_cast<uInt>(piece);
        rest_.remove_prefix(piece);
      }
      const auto want = static_cast<uInt>(std::min(count - done, kMaxPiece));
      zlib_.next_out = out + done;
      zlib_.avail_out = want;
      const int status = inflate(&zlib_, Z_NO_FLUSH);
      done += want - zlib_.avail_out;
      if (status == Z_STREAM_END) {
        end_member();
        continue;
      }
      if (status == Z_BUF_ERROR) throw DataError(fmt::format("{}: the compressed data are truncated", name_));
      if (status == Z_MEM_ERROR) no_memory();
      if (status != Z_OK) throw DataError(fmt::format("{}: damaged gzip data (fetch the file again)", name_));
    }
    return done;
  }

  z_stream zlib_{};
  std::string_view rest_;
  std::string name_;
  bool ended_ = false;
};

}  // namespace

std::unique_ptr<ByteStream> open_bytes(std::string_view bytes, const std::string& name) {
  if (bytes.starts_with(kMagic)) return std::make_unique<GzipStream>(bytes, name);
  return std::make_unique<PlainStream>(bytes, name);
}

}  // namespace gen
