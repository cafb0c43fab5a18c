// How a batch of images lies in memory, and how its group norm is cut into pieces of work.
#pragma once

#include <ATen/Functions.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "gen/core/parallel.h"
#include "gen/ops/group_norm_silu.h"
#include "ops/simd/kernels.h"

namespace gen::ops::cpu {

struct Layout {
  int64_t batch, channels, first;  ///< of `channels`, `first` are x's and the rest skip's
  int64_t pixels, groups;
  bool channels_last;

  Layout(const at::Tensor& x, const GroupNormArgs& args)
      : batch(x.size(0)),
        channels(x.size(1) + (args.skip.defined() ? args.skip.size(1) : 0)),
        first(x.size(1)),
        pixels(x.numel() / (batch * first)),
        groups(args.num_groups),
        channels_last(x.dim() == 4 && !x.is_contiguous() && x.is_contiguous(at::MemoryFormat::ChannelsLast)) {
  }

  at::MemoryFormat format() const {
    return channels_last ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous;
  }
  int64_t group_size() const { return channels / groups; }
  /// A unit of work: a whole image, or one group of one where its channels are planes.
  int64_t units() const { return channels_last ? batch : batch * groups; }
  int64_t image(int64_t unit) const { return channels_last ? unit : unit / groups; }
  int64_t first_channel(int64_t unit) const { return channels_last ? 0 : unit % groups * group_size(); }
  int64_t last_channel(int64_t unit) const {
    return channels_last ? channels : first_channel(unit) + group_size();
  }
};

/// A tensor of a layout, in one part or, where x and skip are apart, in two.
template <class T>
struct Parts {
  T* x;
  T* skip;  ///< null: x has all channels

  /// body(p, ld, channel, count) over the parts of image n: p points at pixel `pixel` of `channel`; `ld` from
  /// pixel to pixel.
  template <class Body>
  void rows(const Layout& l, int64_t n, int64_t pixel, Body body) const {
    const int64_t first = skip ? l.first : l.channels, rest = l.channels - first;
    body(x + (n * l.pixels + pixel) * first, first, int64_t{0}, first);
    if (rest > 0) body(skip + (n * l.pixels + pixel) * rest, rest, first, rest);
  }
  T* plane(const Layout& l, int64_t n, int64_t c) const {
    const int64_t first = skip ? l.first : l.channels, rest = l.channels - first;
    return c < first ? x + (n * first + c) * l.pixels : skip + (n * rest + c - first) * l.pixels;
  }
};

/// first(unit, slice, begin, end) on slices of a unit's pixels, then middle(unit) once, then last(unit,
/// begin, end) on its pixels. The slices of a unit go to several threads only where there are fewer units than threads.
template <class First, class Middle, class Last>
void in_three_stages(const Layout& l, int64_t slices, First first, Middle middle, Last last) {
  const int64_t size = (l.pixels + slices - 1) / slices;
  const auto end = [&](int64_t slice) { return std::min(l.pixels, (slice + 1) * size); };
  if (slices == 1 || l.units() >= at::get_num_threads()) {
    parallel_for(0, l.units(), 1, [&](int64_t begin, int64_t stop) {
      for (int64_t unit = begin; unit < stop; ++unit) {
        for (int64_t slice = 0; slice < slices; ++slice) first(unit, slice, slice * size, end(slice));
        middle(unit);
        last(unit, 0, l.pixels);
      }
    });
    return;
  }
  const auto each_slice = [&](const auto& body) {
    parallel_for(0, l.units() * slices, 1, [&](int64_t begin, int64_t stop) {
      for (int64_t i = begin; i < stop; ++i) body(i / slices, i % slices);
    });
  };
  each_slice([&](int64_t unit, int64_t slice) { first(unit, slice, slice * size, end(slice)); });
  for (int64_t unit = 0; unit < l.units(); ++unit) middle(unit);
  each_slice([&](int64_t unit, int64_t slice) { last(unit, slice * size, end(slice)); });
}

/// A function of the image's size alone: slices are summed apart, so their number decides the last bit of a norm, which
/// must depend neither on the batch nor on the threads.
inline int64_t slices_of(const Layout& l) {
  constexpr int64_t kLeast = 256, kMost = 64;  // pixels of a slice, slices
  return l.channels_last ? std::clamp<int64_t>(l.pixels / kLeast, 1, kMost) : 1;
}

/// Pixels summed in float before the sum goes on in double.
inline constexpr int64_t kChunk = 1024;

template <class T>
T* data(const at::Tensor& tensor) {
  return tensor.defined() ? static_cast<T*>(tensor.data_ptr()) : nullptr;
}

/// Two sums per channel of each slice of each image, in double.
struct ChannelSums {
  ChannelSums(const Layout& layout, int64_t slices)
      : l(layout), count(slices), values(static_cast<size_t>(slices * l.batch * l.channels * 2)) {}
  double* at(int64_t n, int64_t slice, int64_t c) {
    return &values[static_cast<size_t>(((n * count + slice) * l.channels + c) * 2)];
  }
  void add(int64_t n, int64_t slice, int64_t c, float first, float second) {
    at(n, slice, c)[0] += static_cast<double>(first);
    at(n, slice, c)[1] += static_cast<double>(second);
  }
  /// Over the slices.
  std::pair<double, double> total(int64_t n, int64_t c) {
    std::pair<double, double> sum{0, 0};
    for (int64_t slice = 0; slice < count; ++slice) {
      sum.first += at(n, slice, c)[0];
      sum.second += at(n, slice, c)[1];
    }
    return sum;
  }
  Layout l;
  int64_t count;
  std::vector<double> values;
};

/// Per-channel vectors of one image, [rows][channels].
struct Table {
  Table(int64_t rows, int64_t columns) : channels(columns), values(static_cast<size_t>(rows * columns)) {}
  float* row(int64_t i) { return values.data() + i * channels; }
  int64_t channels;
  std::vector<float> values;
};

inline at::Tensor as_float(const at::Tensor& tensor) {
  return tensor.defined() ? tensor.detach().to(at::kFloat).contiguous() : tensor;
}

/// What both directions know: tensors in the layout's format, parameters in float.
struct Inputs {
  Inputs(const at::Tensor& x_, const GroupNormArgs& args)
      : l(x_, args),
        x(x_.contiguous(l.format())),
        skip(args.skip.defined() ? args.skip.contiguous(l.format()) : at::Tensor()),
        weight(as_float(args.weight)),
        bias(as_float(args.bias)),
        shift(as_float(args.shift)),
        film_scale(as_float(args.film_scale)),
        film_shift(as_float(args.film_shift)) {}
  float shift_of(int64_t n, int64_t c) const {
    return shift.defined() ? data<float>(shift)[n * l.channels + c] : 0.0F;
  }
  /// What the normalised input is multiplied by, and what is added then.
  float gamma(int64_t n, int64_t c) const {
    const float weight_c = data<float>(weight)[c];
    return film_scale.defined() ? weight_c * (1 + data<float>(film_scale)[n * l.channels + c]) : weight_c;
  }
  float beta(int64_t n, int64_t c) const {
    const float bias_c = data<float>(bias)[c];
    if (!film_scale.defined()) return bias_c;
    const int64_t at = n * l.channels + c;
    return bias_c * (1 + data<float>(film_scale)[at]) + data<float>(film_shift)[at];
  }
  Layout l;
  at::Tensor x, skip, weight, bias, shift, film_scale, film_shift;
};

}  // namespace gen::ops::cpu
