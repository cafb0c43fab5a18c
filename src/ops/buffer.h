// Work space of the CPU's kernels.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>

namespace gen::ops::cpu {

/// Floats on a cache line's boundary, not initialised.
class Buffer {
 public:
  explicit Buffer(int64_t size = 0) : data_(size > 0 ? allocate(size) : nullptr) {}
  float* data() const { return data_.get(); }

 private:
  struct Free {
    void operator()(float* p) const { std::free(p); }
  };
  static float* allocate(int64_t size) {
    constexpr size_t kLine = 64;
    void* p =
        std::aligned_alloc(kLine, (static_cast<size_t>(size) * sizeof(float) + kLine - 1) / kLine * kLine);
    if (p == nullptr) throw std::bad_alloc();
    return static_cast<float*>(p);
  }
  std::unique_ptr<float[], Free> data_;
};

}  // namespace gen::ops::cpu
