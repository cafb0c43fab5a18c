// Small data files in the exact formats of the real sets.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace gen::test {

/// IDX bytes of unsigned bytes with these dimensions; `values` in C order.
std::string idx_bytes(const std::vector<uint32_t>& dims, const std::string& values);
std::string gzip(const std::string& bytes);
/// Pixel (y, x) of image i is (7 i + 3 y + x) mod 256, and its label i mod `num_classes` + first_label.
void write_mnist_pair(const std::filesystem::path& folder, const std::string& prefix, int count,
                      int rows = 28, int columns = 28, int num_classes = 10, int first_label = 0);
/// `count` records: label (start + i) mod 10, pixels all start + i + channel.
std::string cifar_records(int start, int count);
/// The six files, `count` records each.
void write_cifar(const std::filesystem::path& folder, int count);

}  // namespace gen::test
