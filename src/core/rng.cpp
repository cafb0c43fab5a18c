#include "gen/core/rng.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <torch/torch.h>

#include <cmath>
#include <mutex>
#include <numbers>

#include "gen/core/check.h"

namespace gen {
namespace {

// SplitMix64 (Steele, Lea & Flood 2014): increment by the golden ratio, then mix.
constexpr uint64_t kGoldenGamma = 0x9E3779B97F4A7C15ULL;

uint64_t mix(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31);
}

/// torch seeds its Mersenne Twister with 32 bits: here SplitMix64 spreads 64 over the whole state.
void fill_state(const at::Generator& generator, uint64_t seed) {
  auto* twister = at::check_generator<at::CPUGeneratorImpl>(generator);
  at::mt19937 engine = twister->engine();
  at::mt19937_data_pod state = engine.data();
  HostRng words(seed);
  for (size_t i = 0; i < state.state_.size(); i += 2) {
    const uint64_t word = words.next();
    state.state_[i] = static_cast<uint32_t>(word);
    state.state_[i + 1] = static_cast<uint32_t>(word >> 32);
  }
  engine.set_data(state);
  twister->set_engine(engine);
}

at::Generator make_generator(uint64_t seed, at::Device device) {
  if (device.is_cpu()) {
    const auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
    fill_state(generator, seed);
    return generator;
  }
  at::Generator generator = at::globalContext().defaultGenerator(device).clone();
  generator.set_current_seed(seed);
  return generator;
}

std::vector<int64_t> with_rows(int64_t rows, at::IntArrayRef shape) {
  std::vector<int64_t> full{rows};
  full.insert(full.end(), shape.begin(), shape.end());
  return full;
}

}  // namespace

uint64_t derive_seed(uint64_t seed, Stream stream, uint64_t index, uint64_t part) {
  uint64_t state = mix(seed + kGoldenGamma);
  for (uint64_t each : {static_cast<uint64_t>(stream), index, part})
    state = mix((state ^ each) + kGoldenGamma);
  return state;
}

uint64_t HostRng::next() { return mix(state_ += kGoldenGamma); }

double HostRng::uniform() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

uint64_t HostRng::below(uint64_t n) {
  GEN_CHECK(n > 0, "below(0) has no values");
  const uint64_t limit = UINT64_MAX - UINT64_MAX % n;
  uint64_t draw = next();
  while (draw >= limit) draw = next();
  return draw % n;
}

double HostRng::normal() {
  const double u = 1.0 - uniform();  // (0, 1], so the logarithm is finite
  return std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * std::numbers::pi * uniform());
}

Rng::Rng(uint64_t seed, at::Device device) : device_(device), generator_(make_generator(seed, device)) {}

at::Tensor Rng::normal(at::IntArrayRef shape, at::ScalarType dtype) {
  return at::randn(shape, generator_, at::TensorOptions(dtype).device(device_));
}

at::Tensor Rng::uniform(at::IntArrayRef shape, at::ScalarType dtype) {
  return at::rand(shape, generator_, at::TensorOptions(dtype).device(device_));
}

at::Tensor Rng::integers(int64_t low, int64_t high, at::IntArrayRef shape) {
  return at::randint(low, high, shape, generator_, at::TensorOptions(at::kLong).device(device_));
}

at::Tensor Rng::permutation(int64_t n) {
  return at::randperm(n, generator_, at::TensorOptions(at::kLong).device(device_));
}

SampleRng::SampleRng(uint64_t seed, int64_t first_index, int64_t count, at::Device device) : device_(device) {
  rows_.reserve(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i)
    rows_.emplace_back(derive_seed(seed, Stream::sample, static_cast<uint64_t>(first_index + i)));
}

at::Tensor SampleRng::normal(at::IntArrayRef shape, at::ScalarType dtype) {
  auto out = at::empty(with_rows(count(), shape), dtype);
  for (size_t i = 0; i < rows_.size(); ++i) out[static_cast<int64_t>(i)].normal_(0, 1, rows_[i].generator());
  return out.to(device_);
}

at::Tensor SampleRng::uniform(at::IntArrayRef shape, at::ScalarType dtype) {
  auto out = at::empty(with_rows(count(), shape), dtype);
  for (size_t i = 0; i < rows_.size(); ++i) out[static_cast<int64_t>(i)].uniform_(0, 1, rows_[i].generator());
  return out.to(device_);
}

at::Tensor SampleRng::integers(int64_t low, int64_t high) {
  auto out = at::empty({count()}, at::kLong);
  for (size_t i = 0; i < rows_.size(); ++i)
    out[static_cast<int64_t>(i)].random_(low, high, rows_[i].generator());
  return out.to(device_);
}

void seed_default_generators(uint64_t seed) {
  torch::manual_seed(seed);
  at::Generator generator = at::detail::getDefaultCPUGenerator();
  const std::lock_guard lock(generator.mutex());
  fill_state(generator, seed);
}

}  // namespace gen
