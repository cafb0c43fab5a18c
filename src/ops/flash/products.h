// The products of a block's rows with packed operands: in float32, or by pairs of bfloat16 where the machine multiplies them.
#pragma once

#include "ops/flash/blocks.h"

namespace gen::ops::flash::cpu {

/// Sizes count numbers in either case. With pairs, weights and score gradients are rounded to bfloat16 before they multiply.
class Products {
 public:
  /// Pairs where they are possible: bfloat16 with an even D.
  Products(const Problem& problem, const simd::Kernels& kernels);
  /// In float32.
  explicit Products(const simd::Kernels& kernels) : kernels_(kernels) {}

  /// C [m, n] (+)= A B[k0 : k0 + k, n0 : n0 + n] (GemmKernels::multiply); k0 is even, and an odd k is even with zeros in A.
  void multiply(const simd::LeftMatrix& a, const simd::PackedMatrix& b, int64_t k0, int64_t k, int64_t n0,
                int64_t n, float* c, int64_t ldc, int64_t m, bool accumulate) const;
  /// B, not filled, of `rows` rows; and how many floats it takes.
  simd::PackedMatrix packed(int64_t rows, int64_t columns) const;
  int64_t size_of(const simd::PackedMatrix& b) const {
    return packed_size(*kernels_.gemm, b.rows, b.columns);
  }
  /// B = x, or x^T: rows and columns are B's.
  void pack(const View& x, const void* from, bool transposed, int64_t rows, int64_t columns,
            float* out) const;

  /// Rows of one head as A; `room` holds rows x dim floats. Keys and values: zeros where the key mask hides.
  simd::LeftMatrix query_rows(const View& x, const Sequence& s, int64_t head, Range rows, int64_t dim,
                              float* room) const;
  simd::LeftMatrix key_rows(const View& x, const Sequence& s, int64_t head, Range rows, int64_t dim,
                            float* room) const;
  /// Those rows as B.
  void pack_rows(const simd::LeftMatrix& a, int64_t rows, int64_t dim, float* out) const;
  /// Zeros for the hidden ones of a packed panel's keys, which are its columns where it is transposed, else its rows.
  void hide_keys(const uint8_t* visible, int64_t keys, bool transposed, int64_t rows, int64_t columns,
                 float* panel) const;
  /// A tile of scores, or its transpose, as A; `room` holds half a tile.
  simd::LeftMatrix tile(const float* tile, int64_t rows, int64_t columns, float* room) const;
  simd::LeftMatrix transposed_tile(const float* tile, int64_t rows, int64_t columns, float* room) const;

  const simd::GemmKernels& gemm() const { return *kernels_.gemm; }

 private:
  simd::LeftMatrix pair_rows(const View& x, const Sequence& s, int64_t first, int64_t head, Range rows,
                             int64_t dim, float* room) const;

  const simd::Kernels& kernels_;
  const simd::PairKernels* pairs_ = nullptr;  ///< null: float32
};

/// All rows of each sequence and head of a tensor as right operands: [L, D], or transposed [D, L]. Keys that the key mask
/// hides are zeros.
class PackedHeads {
 public:
  PackedHeads(const View& x, const std::vector<Sequence>& all, bool keys, int64_t heads, int64_t dim,
              bool transposed, const Products& products);
  simd::PackedMatrix operator()(size_t sequence, int64_t head) const {
    return matrices_[sequence * heads_ + head];
  }

 private:
  size_t heads_;
  Buffer buffer_;
  std::vector<simd::PackedMatrix> matrices_;
};

}  // namespace gen::ops::flash::cpu
