// What a kernel's body asks of the hardware, one PTX instruction of sm_80 a function. The tests run the same bodies on
// tests/support/emulated_machine.h.
#pragma once

#include <cuda_runtime.h>

#include "gen/ops/fused/element.h"

namespace gen::flash {

using ops::fused::Bf16;
using ops::fused::F16;

class DeviceMachine {
 public:
  GEN_DEVICE explicit DeviceMachine(void* shared)
      : shared_(static_cast<uint32_t>(__cvta_generic_to_shared(shared))) {}

  GEN_DEVICE int thread() const { return static_cast<int>(threadIdx.x); }
  /// The same number, but unknown to the optimiser: what follows from it is computed where it is needed, instead of being
  /// kept in registers across a loop that has none to spare.
  GEN_DEVICE int fresh_thread() const {
    int x;
    asm volatile("mov.u32 %0, %tid.x;" : "=r"(x));
    return x;
  }
  GEN_DEVICE int64_t block() const { return blockIdx.x; }
  GEN_DEVICE uint32_t shared() const { return shared_; }
  GEN_DEVICE void sync() const { __syncthreads(); }
  GEN_DEVICE void sync_warp() const { __syncwarp(); }
  GEN_DEVICE float shuffle_xor(float x, int mask) const { return __shfl_xor_sync(0xffffffffU, x, mask); }
  GEN_DEVICE void atomic_add(float* to, float x) const { atomicAdd(to, x); }

  // --- Copies from global to shared memory that go on while the thread computes.
  /// `bytes` of 16, zeros after them. Both addresses are multiples of 16.
  GEN_DEVICE void copy(uint32_t to, const void* from, int bytes) const {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to),
                 "l"(__cvta_generic_to_global(from)), "r"(bytes)
                 : "memory");
  }
  GEN_DEVICE void copy_float(uint32_t to, const float* from, bool present) const {
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(to),
                 "l"(__cvta_generic_to_global(from)), "r"(present ? 4 : 0)
                 : "memory");
  }
  /// Ends a group of copies.
  GEN_DEVICE void commit() const { asm volatile("cp.async.commit_group;" ::: "memory"); }
  /// Returns when all but the last Pending groups of this thread have arrived.
  template <int Pending>
  GEN_DEVICE void wait() const {
    asm volatile("cp.async.wait_group %0;" ::"n"(Pending) : "memory");
  }

  // --- Shared memory.
  GEN_DEVICE void store(uint32_t to, uint32_t x) const {
    asm volatile("st.shared.b32 [%0], %1;" ::"r"(to), "r"(x) : "memory");
  }
  GEN_DEVICE void store(uint32_t to, const uint32_t (&x)[4]) const {
    asm volatile("st.shared.v4.b32 [%0], {%1, %2, %3, %4};" ::"r"(to), "r"(x[0]), "r"(x[1]), "r"(x[2]),
                 "r"(x[3])
                 : "memory");
  }
  GEN_DEVICE void load(uint32_t from, uint32_t (&x)[4]) const {
    asm volatile("ld.shared.v4.b32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(x[0]), "=r"(x[1]), "=r"(x[2]), "=r"(x[3])
                 : "r"(from)
                 : "memory");
  }
  GEN_DEVICE float load_float(uint32_t from) const {
    float x;
    asm volatile("ld.shared.f32 %0, [%1];" : "=f"(x) : "r"(from) : "memory");
    return x;
  }

  // --- Matrices: each lane names a row of 8 elements; four 8 x 8 matrices go to all lanes.
  GEN_DEVICE void load_matrices(uint32_t row, uint32_t (&x)[4]) const {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(x[0]), "=r"(x[1]), "=r"(x[2]), "=r"(x[3])
                 : "r"(row)
                 : "memory");
  }
  GEN_DEVICE void load_transposed(uint32_t row, uint32_t (&x)[4]) const {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(x[0]), "=r"(x[1]), "=r"(x[2]), "=r"(x[3])
                 : "r"(row)
                 : "memory");
  }
  /// Two matrices, whose rows the first 16 lanes name.
  GEN_DEVICE void load_transposed(uint32_t row, uint32_t (&x)[2]) const {
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0, %1}, [%2];"
                 : "=r"(x[0]), "=r"(x[1])
                 : "r"(row)
                 : "memory");
  }
  /// c += a b for c [16, 8], a [16, 16], b [16, 8].
  template <typename T>
  GEN_DEVICE void multiply(float* c, const uint32_t (&a)[4], uint32_t b0, uint32_t b1) const;

 private:
  uint32_t shared_;
};

template <>
GEN_DEVICE void DeviceMachine::multiply<Bf16>(float* c, const uint32_t (&a)[4], uint32_t b0,
                                              uint32_t b1) const {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
template <>
GEN_DEVICE void DeviceMachine::multiply<F16>(float* c, const uint32_t (&a)[4], uint32_t b0,
                                             uint32_t b1) const {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, "
      "%1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

}  // namespace gen::flash
