#include <bit>

#include "gen/core/check.h"
#include "gen/core/rng.h"
#include "gen/data/loader.h"

namespace gen {
namespace {

constexpr int kRounds =
    6;  // four make a strong permutation of wide halves; two more for halves of a few bits

uint64_t round_function(uint64_t key, uint64_t half) {
  return HostRng(key ^ (half * 0xD1342543DE82EF95ULL)).next();
}

}  // namespace

int64_t shuffled_index(uint64_t seed, int64_t epoch, int64_t n, int64_t i) {
  GEN_CHECK(n > 0 && i >= 0 && i < n, "index {} is not in [0, {})", i, n);
  const auto size = static_cast<uint64_t>(n);
  const auto half_bits = std::max<int>(1, (static_cast<int>(std::bit_width(size - 1)) + 1) / 2);
  const uint64_t mask = (uint64_t{1} << half_bits) - 1;
  HostRng key_rng(derive_seed(seed, Stream::data, static_cast<uint64_t>(epoch)));
  std::array<uint64_t, kRounds> keys{};
  for (auto& key : keys) key = key_rng.next();

  // Luby & Rackoff 1988 on 2 * half_bits bits, at most 4 n values; walking the cycle until it is back below n
  // leaves a permutation of 0..n-1 (Black & Rogaway 2002).
  auto value = static_cast<uint64_t>(i);
  do {
    uint64_t left = value >> half_bits, right = value & mask;
    for (const uint64_t key : keys) {
      const uint64_t mixed = left ^ (round_function(key, right) & mask);
      left = right;
      right = mixed;
    }
    value = (left << half_bits) | right;
  } while (value >= size);
  return static_cast<int64_t>(value);
}

}  // namespace gen
