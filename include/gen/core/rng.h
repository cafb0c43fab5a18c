// Randomness as a function of (seed, stream, index), never hidden state: a resumed run needs no generator state
// and sample i does not depend on the batch it was drawn in.
#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace gen {

/// The independent streams of a run. Values are part of the reproducibility contract: never renumber.
enum class Stream : uint64_t { init = 1, data = 2, noise = 3, dropout = 4, sample = 5, eval = 6 };

/// A 64-bit seed that is a fixed mix (SplitMix64) of its arguments.
uint64_t derive_seed(uint64_t seed, Stream stream, uint64_t index = 0, uint64_t rank = 0);

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

/// Draws tensors from a torch generator of its own on `device`.
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
  SampleRng(uint64_t seed, int64_t first_index, int64_t count, at::Device device = at::kCPU,
            Stream stream = Stream::sample);
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

/// Reseeds torch's default generators (dropout, parameter initialisation) for one stream at one index.
void seed_default_generators(uint64_t seed);

}  // namespace gen
