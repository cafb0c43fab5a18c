#include "data/held_out.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "data/random_order.h"
#include "gen/core/error.h"

namespace gen {

std::vector<int64_t> all_rows(int64_t total) {
  std::vector<int64_t> rows(static_cast<size_t>(total));
  std::iota(rows.begin(), rows.end(), 0);
  return rows;
}

std::vector<int64_t> held_out_rows(Split split, int64_t total, int64_t validation, int64_t test,
                                   const std::string& data) {
  if (validation >= total || test >= total - validation)
    throw ConfigError(
        fmt::format("{}: holding out {} examples for validation and {} for test leaves none of the {} "
                    "to train on; lower data.validation or data.test",
                    data, validation, test, total));
  // The random order is laid out as test | validation | train.
  const auto split_at = [&](int64_t position) {
    if (position < test) return Split::test;
    return position < test + validation ? Split::validation : Split::train;
  };
  const uint64_t key = derive_seed(/*seed=*/0, Stream::held_out);
  std::vector<int64_t> rows;
  for (int64_t i = 0; i < total; ++i)
    if (split_at(i) == split) rows.push_back(random_order(key, total, i));
  std::sort(rows.begin(), rows.end());
  return rows;
}

}  // namespace gen
