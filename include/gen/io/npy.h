// NumPy's .npy format, version 1.0, for arrays that leave gen.
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <string>

namespace gen {

/// A tensor (any device, any strides; float64/32/16, int64/32/16/8, uint8 or bool; bfloat16 is widened to
/// float32) as the bytes of a .npy file in C order. Throws DataError for another dtype.
std::string encode_npy(const at::Tensor& tensor);
/// Writes it so that `path` is either the old file or the whole new one. Throws IoError.
void write_npy(const std::filesystem::path& path, const at::Tensor& tensor);

}  // namespace gen
