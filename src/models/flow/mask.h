// Which half of its input a coupling keeps.
#pragma once

#include "models/flow/bijector.h"

namespace gen::flow {

enum class MaskKind {
  odd_even,      ///< points: even coordinates are kept, odd ones changed (NICE)
  halves,        ///< first half of the coordinates or channels kept, second changed (RealNVP's channel mask)
  checkerboard,  ///< images: one colour of the board kept, the other changed
};

/// Splits an example into what a coupling keeps and what it changes, and puts the two together again. The
/// checkerboard is not a multiplication by a mask: its colours are gathered as the diagonals of 2 x 2 cells,
/// so a conditioner works on [2C, H/2, W/2] with no element wasted.
class Mask {
 public:
  /// `swap` exchanges the halves. Throws ConfigError where `kind` cannot work on examples of `shape`.
  Mask(MaskKind kind, bool swap, const Shape& shape);

  struct Halves {
    at::Tensor kept, changed;
  };
  Halves split(const at::Tensor& x) const;
  at::Tensor merge(const at::Tensor& kept, const at::Tensor& changed) const;
  const Shape& kept_shape() const { return kept_; }
  const Shape& changed_shape() const { return changed_; }

 private:
  MaskKind kind_;
  bool swap_;
  Shape kept_, changed_;
};

}  // namespace gen::flow
