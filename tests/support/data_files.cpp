#include "support/data_files.h"

#include <zlib.h>

#include "support/support.h"

namespace gen::test {

std::string idx_bytes(const std::vector<uint32_t>& dims, const std::string& values) {
  std::string bytes{'\0', '\0', '\x08', static_cast<char>(dims.size())};
  for (const uint32_t dim : dims)
    for (const int shift : {24, 16, 8, 0}) bytes += static_cast<char>(dim >> shift);
  return bytes + values;
}

std::string gzip(const std::string& bytes) {
  z_stream stream{};
  constexpr int kGzipWindow = 15 + 16;
  if (deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, kGzipWindow, 8, Z_DEFAULT_STRATEGY) != Z_OK) return {};
  std::string out(deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

void write_mnist_pair(const std::filesystem::path& folder, const std::string& prefix, int count, int rows,
                      int columns, int num_classes, int first_label) {
  std::string pixels, labels;
  for (int i = 0; i < count; ++i) {
    for (int y = 0; y < rows; ++y)
      for (int x = 0; x < columns; ++x) pixels += static_cast<char>(7 * i + 3 * y + x);
    labels += static_cast<char>(i % num_classes + first_label);
  }
  const auto size = [](int n) { return static_cast<uint32_t>(n); };
  write_text(folder / (prefix + "-images-idx3-ubyte"),
             idx_bytes({size(count), size(rows), size(columns)}, pixels));
  write_text(folder / (prefix + "-labels-idx1-ubyte.gz"), gzip(idx_bytes({size(count)}, labels)));
}

std::string cifar_records(int start, int count) {
  std::string bytes;
  for (int i = start; i < start + count; ++i) {
    bytes += static_cast<char>(i % 10);
    for (int channel = 0; channel < 3; ++channel) bytes += std::string(1024, static_cast<char>(i + channel));
  }
  return bytes;
}

void write_cifar(const std::filesystem::path& folder, int count) {
  for (int i = 1; i <= 5; ++i)
    write_text(folder / ("data_batch_" + std::to_string(i) + ".bin"), cifar_records((i - 1) * count, count));
  write_text(folder / "test_batch.bin", cifar_records(100, count));
}

}  // namespace gen::test
