#include "gen/core/finite.h"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace gen {
namespace {

template <class T>
std::string listed(const std::vector<T>& list) {
  constexpr size_t kShown = 8;
  const auto end = list.begin() + static_cast<std::ptrdiff_t>(std::min(list.size(), kShown));
  return fmt::format("{}{}", fmt::join(list.begin(), end, ", "), list.size() > kShown ? ", ..." : "");
}

}  // namespace

at::Tensor non_finite_rows(const at::Tensor& x) {
  if (!x.is_floating_point() || x.numel() == 0)
    return at::zeros({x.dim() == 0 ? 1 : x.size(0)}, x.options().dtype(at::kBool));
  // 0 x is 0 of every number, and NaN of what is none. With numbers of 8 bits torch does not calculate.
  const auto rows = (x.element_size() == 1 ? x.detach().to(at::kFloat) : x.detach())
                        .reshape({x.dim() == 0 ? 1 : x.size(0), -1});
  return rows.mul(0).sum(1).isnan();
}

std::vector<int64_t> rows_of(const at::Tensor& marks) {
  const auto found = marks.nonzero().flatten().to(at::kCPU).contiguous();
  const auto* first = found.data_ptr<int64_t>();
  return {first, first + found.numel()};
}

std::string first_few(const std::vector<int64_t>& indices) { return listed(indices); }
std::string first_few(const std::vector<std::string>& names) { return listed(names); }

}  // namespace gen
