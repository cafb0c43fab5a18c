// Points of which some cannot be read.
#pragma once

#include <fmt/format.h>

#include <functional>
#include <set>
#include <utility>

#include "gen/core/error.h"
#include "gen/data/dataset.h"

namespace gen::test {

class PartlyBad : public Dataset {
 public:
  /// The point [2] of an index, and of the augmentation's draws.
  using Point = std::function<at::Tensor(int64_t index, HostRng* augmentation)>;
  PartlyBad(int64_t size, Point point, std::set<int64_t> bad = {}, BadExampleOptions options = {})
      : size_(size), point_(std::move(point)), bad_(std::move(bad)), options_(options) {
    spec_.kind = DataKind::points;
    spec_.shape = {2};
    spec_.levels = 0;
  }
  const DataSpec& spec() const override { return spec_; }
  int64_t size() const override { return size_; }
  Split split() const override { return Split::train; }
  Example get(int64_t index, HostRng* augmentation) const override {
    // Drawn in any case, as of a picture that is augmented before its file turns out to be torn.
    auto point = point_(index, augmentation);
    if (bad_.contains(index)) throw DataError(fmt::format("{}.png: truncated", index));
    return {std::move(point), -1, ""};
  }
  BadExampleOptions bad_examples() const override { return options_; }

 private:
  int64_t size_;
  Point point_;
  std::set<int64_t> bad_;
  BadExampleOptions options_;
  DataSpec spec_;
};

}  // namespace gen::test
