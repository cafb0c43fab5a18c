// Randomness as a function of (seed, stream, index), never hidden state: a resumed run needs no generator state
// and sample i does not depend on the batch it was drawn in.
#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace gen {

/// What draws: each use of randomness has a value of its own, so that no two share a stream
/// (scripts/lint/check_streams.py). Values are part of the reproducibility contract: add at the end, never renumber.
enum class Stream : uint64_t {
  init = 1,          ///< of parameters, through torch's default generators
  shapes = 2,        ///< an example of the data set, whose own seed it is; parts: index, split
  noise = 3,         ///< of the training loss; parts: step
  dropout = 4,       ///< through torch's default generators; parts: step
  sample = 5,        ///< parts: index of the sample
  eval = 6,          ///< of gen eval; parts: batch, split
  shuffle = 7,       ///< parts: epoch
  augmentation = 8,  ///< parts: visit
  binarization = 9,  ///< static thresholds, which are data: no run's seed; parts: index, split
  data_init = 10,    ///< Model::initialize
  permutation = 11,  ///< of a flow's coordinates, where it has a seed of its own
  validation = 12,   ///< of the loss; parts: batch
  toy2d = 13,        ///< as shapes
  subset = 14,       ///< which examples are scored of many: no run's seed; parts: split
  held_out = 15,     ///< which training examples are held out: no run's seed
  statistics = 16,   ///< of normalisation under averaged weights; part 0: the loss, 1: dropout
};
inline constexpr uint64_t kNumStreams = 16;

/// A 64-bit seed that is a fixed mix (SplitMix64) of its arguments; `index` and `part` are the parts that the stream names.
uint64_t derive_seed(uint64_t seed, Stream stream, uint64_t index = 0, uint64_t part = 0);

/// A small counter-based generator (SplitMix64) for host decisions: shuffles, crops, flips.
class HostRng {
 public:
  explicit HostRng(uint64_t seed) : state_(seed) {}
  uint64_t next();
  /// Uniform in [0, 1) with 53 random bits.
  double uniform();
  /// Uniform integer in [0, n), n >= 1, without modulo bias.
  uint64_t below(uint64_t n);
  /// Standard normal (Box-Muller).
  double normal();

 private:
  uint64_t state_;
};

/// Draws tensors from a torch generator of its own on `device`, seeded with all 64 bits.
class Rng {
 public:
  explicit Rng(uint64_t seed, at::Device device = at::kCPU);
  /// Standard normal of the given shape; `options` gives dtype (default float32), the device is the Rng's.
  at::Tensor normal(at::IntArrayRef shape, at::ScalarType dtype = at::kFloat);
  /// Uniform in [0, 1).
  at::Tensor uniform(at::IntArrayRef shape, at::ScalarType dtype = at::kFloat);
  /// Integers in [low, high), int64.
  at::Tensor integers(int64_t low, int64_t high, at::IntArrayRef shape);
  /// A random permutation of 0..n-1, int64.
  at::Tensor permutation(int64_t n);
  at::Generator& generator() { return generator_; }
  at::Device device() const { return device_; }

 private:
  at::Device device_;
  at::Generator generator_;
};

/// One generator per sample: row i of every draw depends on (seed, first_index + i) and on how many draws came
/// before, not on the batch. Draws are made on the CPU and moved, so devices agree.
class SampleRng {
 public:
  SampleRng(uint64_t seed, int64_t first_index, int64_t count, at::Device device = at::kCPU);
  /// [count, *shape] standard normals.
  at::Tensor normal(at::IntArrayRef shape, at::ScalarType dtype = at::kFloat);
  /// [count, *shape] uniform in [0, 1).
  at::Tensor uniform(at::IntArrayRef shape, at::ScalarType dtype = at::kFloat);
  /// [count] integers in [low, high).
  at::Tensor integers(int64_t low, int64_t high);
  int64_t count() const { return static_cast<int64_t>(rows_.size()); }
  at::Device device() const { return device_; }

 private:
  at::Device device_;
  std::vector<Rng> rows_;
};

/// Reseeds torch's default generators (dropout, parameter initialisation) with all 64 bits, for one stream at one index.
void seed_default_generators(uint64_t seed);

}  // namespace gen
