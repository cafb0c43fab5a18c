// Looking for NaN and infinities, on the device, with one wait for all rows.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

namespace gen {

/// [N] bool on x's device: true where row i of x [N, ...] holds a NaN or an infinity. Waits for nothing.
at::Tensor non_finite_rows(const at::Tensor& x);
/// The indices of the true rows of a [N] bool tensor.
std::vector<int64_t> rows_of(const at::Tensor& marks);
/// "0, 1, 5" or, of more than eight, "0, 1, 2, 3, 4, 5, 6, 7, ...".
std::string first_few(const std::vector<int64_t>& indices);
std::string first_few(const std::vector<std::string>& names);

}  // namespace gen
