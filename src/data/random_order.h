// A random order of many things, one position at a time.
#pragma once

#include <cstdint>

namespace gen {

/// Position `i` of the order of 0..n-1 that `key` names, O(1) in memory: a Feistel permutation with cycle walking, or of a
/// few the Fisher-Yates shuffle itself.
int64_t random_order(uint64_t key, int64_t n, int64_t i);

}  // namespace gen
