#include "train/data_fingerprint.h"

#include <fmt/ranges.h>

#include "gen/core/error.h"
#include "gen/io/file.h"

namespace gen {
namespace {

constexpr int64_t kBetween = 16;

std::string hash_of_example(const Dataset& data, int64_t index) {
  try {
    const Example example = data.get(index, /*augmentation=*/nullptr);
    const at::Tensor x = example.x.contiguous();
    return hash_bytes(fmt::format("{} {} {} ", x.sizes(), example.label, example.caption) +
                      std::string(static_cast<const char*>(x.data_ptr()), x.nbytes()));
  } catch (const DataError&) {
    return {};
  }
}

}  // namespace

std::vector<std::string> data_fingerprint(const Dataset& data) {
  const int64_t size = data.size();
  if (size == 0) return {};
  std::vector<std::string> hashes{hash_of_example(data, 0), hash_of_example(data, size - 1)};
  for (int64_t i = 0; i < kBetween; ++i) {
    const double place = (static_cast<double>(i) + 0.5) / static_cast<double>(kBetween);
    hashes.push_back(hash_of_example(data, static_cast<int64_t>(static_cast<double>(size) * place)));
  }
  return hashes;
}

bool may_be_same(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i)
    if (!a[i].empty() && !b[i].empty() && a[i] != b[i]) return false;
  return true;
}

}  // namespace gen
