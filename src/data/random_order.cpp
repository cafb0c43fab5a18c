#include "data/random_order.h"

#include <array>
#include <bit>
#include <numeric>

#include "gen/core/check.h"
#include "gen/core/rng.h"

namespace gen {
namespace {

// Below this many a Feistel network reaches only some of the permutations (of 4 bits, all even ones at best).
constexpr int64_t kSmall = 64;
constexpr int kRounds =
    6;  // four make a strong permutation of wide halves; two more for halves of a few bits

/// Fisher & Yates 1938, up to the position asked for: every permutation is equally likely.
int64_t draw_without_replacement(HostRng rng, int64_t n, int64_t i) {
  std::array<int64_t, kSmall> left{};
  std::iota(left.begin(), left.begin() + n, 0);
  for (int64_t k = 0;; ++k) {
    const int64_t chosen = k + static_cast<int64_t>(rng.below(static_cast<uint64_t>(n - k)));
    std::swap(left[static_cast<size_t>(k)], left[static_cast<size_t>(chosen)]);
    if (k == i) return left[static_cast<size_t>(k)];
  }
}

uint64_t round_function(uint64_t key, uint64_t half) {
  return HostRng(key ^ (half * 0xD1342543DE82EF95ULL)).next();
}

/// Luby & Rackoff 1988 on 2 * half_bits bits, at most 4 n values; walking the cycle until it is back below n
/// leaves a permutation of 0..n-1 (Black & Rogaway 2002).
int64_t encipher(HostRng key_rng, uint64_t n, uint64_t value) {
  const auto half_bits = (static_cast<int>(std::bit_width(n - 1)) + 1) / 2;
  const uint64_t mask = (uint64_t{1} << half_bits) - 1;
  std::array<uint64_t, kRounds> keys{};
  for (auto& key : keys) key = key_rng.next();
  do {
    uint64_t left = value >> half_bits, right = value & mask;
    for (const uint64_t key : keys) {
      const uint64_t mixed = left ^ (round_function(key, right) & mask);
      left = right;
      right = mixed;
    }
    value = (left << half_bits) | right;
  } while (value >= n);
  return static_cast<int64_t>(value);
}

}  // namespace

int64_t random_order(uint64_t key, int64_t n, int64_t i) {
  GEN_CHECK(n > 0 && i >= 0 && i < n, "index {} is not in [0, {})", i, n);
  return n <= kSmall ? draw_without_replacement(HostRng(key), n, i)
                     : encipher(HostRng(key), static_cast<uint64_t>(n), static_cast<uint64_t>(i));
}

}  // namespace gen
