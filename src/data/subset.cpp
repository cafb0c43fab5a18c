#include "data/held_out.h"
#include "data/random_order.h"
#include "gen/data/loader.h"

namespace gen {

std::vector<int64_t> evaluation_indices(const Dataset& dataset, int64_t limit) {
  const int64_t n = dataset.size();
  if (limit <= 0 || limit >= n) return all_rows(n);
  const uint64_t key = derive_seed(/*seed=*/0, Stream::subset, static_cast<uint64_t>(dataset.split()));
  std::vector<int64_t> chosen(static_cast<size_t>(limit));
  for (int64_t i = 0; i < limit; ++i) chosen[static_cast<size_t>(i)] = random_order(key, n, i);
  return chosen;
}

}  // namespace gen
