#include "train/data_fingerprint.h"

#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "gen/core/error.h"
#include "gen/io/file.h"

namespace gen {
namespace {

constexpr int64_t kExamples = 16;

std::string bytes_of(const Dataset& data, int64_t index) {
  try {
    const Example example = data.get(index, /*augmentation=*/nullptr);
    const at::Tensor x = example.x.contiguous();
    return fmt::format("{} {} {} {} ", index, x.sizes(), example.label, example.caption) +
           std::string(static_cast<const char*>(x.data_ptr()), x.nbytes());
  } catch (const DataError&) {
    return fmt::format("{} unreadable", index);
  }
}

}  // namespace

std::string data_fingerprint(const Dataset& data) {
  const int64_t size = data.size();
  std::string text = fmt::format("{} {}\n", to_json(data.spec()).dump(), size);
  if (size == 0) return hash_bytes(text);
  text += bytes_of(data, 0) + bytes_of(data, size - 1);
  for (int64_t i = 0; i < kExamples; ++i)
    text += bytes_of(data, static_cast<int64_t>(static_cast<double>(size) * (static_cast<double>(i) + 0.5) /
                                                static_cast<double>(kExamples)));
  return hash_bytes(text);
}

}  // namespace gen
