#include "ops/group_norm_cpu.h"

#include <bit>
#include <cmath>

#include "ops/group_norm_layout.h"

namespace gen::ops::cpu {
namespace {

using simd::Bf16;

float to_float(float x) { return x; }
float to_float(Bf16 x) { return std::bit_cast<float>(static_cast<uint32_t>(x) << 16); }

template <class T>
class Forward {
 public:
  Forward(const Inputs& inputs, double eps, bool silu, const simd::GroupNormKernels<T>& kernels)
      : in_(inputs),
        l_(inputs.l),
        eps_(eps),
        silu_(silu),
        k_(kernels),
        slices_(slices_of(l_)),
        sums_(l_, slices_),
        pivot_(l_.batch, l_.channels),
        scale_(l_.batch, l_.channels),
        offset_(l_.batch, l_.channels),
        source_{data<const T>(in_.x), data<const T>(in_.skip)} {}

  void run(const at::Tensor& y, GroupNormStatistics& statistics) {
    y_ = {data<T>(y), nullptr};
    statistics_ = &statistics;
    in_three_stages(
        l_, slices_, [&](int64_t u, int64_t slice, int64_t begin, int64_t end) { sum(u, slice, begin, end); },
        [&](int64_t u) { finish(u); }, [&](int64_t u, int64_t begin, int64_t end) { apply(u, begin, end); });
  }

 private:
  /// Sums are of x minus its first pixel, so that a large mean costs no accuracy.
  void sum(int64_t unit, int64_t slice, int64_t begin, int64_t end) {
    const int64_t n = l_.image(unit), c0 = l_.first_channel(unit), c1 = l_.last_channel(unit);
    // Slices of one image store the same pivots; each keeps its own copy instead of sharing the row being
    // written.
    std::vector<float> pivot(static_cast<size_t>(l_.channels)), s(pivot.size()), q(pivot.size());
    if (!l_.channels_last) {
      for (int64_t c = c0; c < c1; ++c) {
        const T* x = source_.plane(l_, n, c);
        pivot_.row(n)[c] = to_float(x[0]);
        for (int64_t p = begin; p < end; p += kChunk) {
          float first = 0, second = 0;
          k_.moments_plane(x + p, std::min(kChunk, end - p), to_float(x[0]), &first, &second);
          sums_.add(n, slice, c, first, second);
        }
      }
      return;
    }
    source_.rows(l_, n, 0, [&](const T* x, int64_t, int64_t channel, int64_t count) {
      for (int64_t c = 0; c < count; ++c) pivot[static_cast<size_t>(channel + c)] = to_float(x[c]);
    });
    if (slice == 0) std::copy(pivot.begin(), pivot.end(), pivot_.row(n));
    for (int64_t p = begin; p < end; p += kChunk) {
      source_.rows(l_, n, p, [&](const T* x, int64_t ld, int64_t channel, int64_t count) {
        k_.moments_rows(x, ld, std::min(kChunk, end - p), count, pivot.data() + channel, s.data() + channel,
                        q.data() + channel);
      });
      for (int64_t c = 0; c < l_.channels; ++c)
        sums_.add(n, slice, c, s[static_cast<size_t>(c)], q[static_cast<size_t>(c)]);
    }
  }

  void finish(int64_t unit) {
    const int64_t n = l_.image(unit), c1 = l_.last_channel(unit);
    for (int64_t c = l_.first_channel(unit); c < c1; c += l_.group_size()) finish_group(n, c);
  }

  /// Chan et al. 1983: the variance of a group from the means and variances of its channels.
  void finish_group(int64_t n, int64_t c0) {
    const int64_t size = l_.group_size();
    const double pixels = static_cast<double>(l_.pixels);
    double mean = 0, square = 0;
    const auto moments = [&](int64_t c) {
      const auto [s, q] = sums_.total(n, c);
      return std::pair{static_cast<double>(pivot_.row(n)[c]) + s / pixels, q - s * s / pixels};
    };
    for (int64_t c = c0; c < c0 + size; ++c) {
      const double channel_mean = moments(c).first;
      data<float>(statistics_->channel_mean)[n * l_.channels + c] = static_cast<float>(channel_mean);
      mean += (channel_mean + static_cast<double>(in_.shift_of(n, c))) / static_cast<double>(size);
    }
    for (int64_t c = c0; c < c0 + size; ++c) {
      const auto [channel_mean, channel_square] = moments(c);
      const double off = channel_mean + static_cast<double>(in_.shift_of(n, c)) - mean;
      square += channel_square + pixels * off * off;
    }
    const double variance = square < 0 ? 0 : square / (pixels * static_cast<double>(size));  // NaN stays NaN
    const double rstd = 1.0 / std::sqrt(variance + eps_);
    const int64_t group = n * l_.groups + c0 / size;
    data<float>(statistics_->mean)[group] = static_cast<float>(mean);
    data<float>(statistics_->rstd)[group] = static_cast<float>(rstd);
    for (int64_t c = c0; c < c0 + size; ++c) {
      const double scale = static_cast<double>(in_.gamma(n, c)) * rstd;
      const double off = static_cast<double>(in_.shift_of(n, c)) - mean;
      scale_.row(n)[c] = static_cast<float>(scale);
      offset_.row(n)[c] = static_cast<float>(static_cast<double>(in_.beta(n, c)) + scale * off);
    }
  }

  void apply(int64_t unit, int64_t begin, int64_t end) {
    const int64_t n = l_.image(unit), c1 = l_.last_channel(unit);
    if (!l_.channels_last) {
      for (int64_t c = l_.first_channel(unit); c < c1; ++c)
        k_.apply_plane(source_.plane(l_, n, c) + begin, y_.plane(l_, n, c) + begin, end - begin,
                       scale_.row(n)[c], offset_.row(n)[c], silu_);
      return;
    }
    T* y = y_.x + (n * l_.pixels + begin) * l_.channels;
    source_.rows(l_, n, begin, [&](const T* x, int64_t ld, int64_t channel, int64_t count) {
      k_.apply_rows(x, ld, y + channel, l_.channels, end - begin, count, scale_.row(n) + channel,
                    offset_.row(n) + channel, silu_);
    });
  }

  const Inputs& in_;
  const Layout& l_;
  double eps_;
  bool silu_;
  const simd::GroupNormKernels<T>& k_;
  int64_t slices_;
  ChannelSums sums_;
  Table pivot_, scale_, offset_;
  Parts<const T> source_;
  Parts<T> y_{};
  GroupNormStatistics* statistics_ = nullptr;
};

}  // namespace

bool group_norm_supported(const at::Tensor& x, const GroupNormArgs& args) {
  const bool dtype = x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16;
  return dtype && x.is_cpu() && x.numel() > 0 &&
         (!args.skip.defined() || args.skip.scalar_type() == x.scalar_type());
}

at::Tensor group_norm_forward(const at::Tensor& x, const GroupNormArgs& args, GroupNormStatistics& statistics,
                              const simd::Kernels& kernels) {
  const Inputs inputs(x.detach(), args);
  const Layout& l = inputs.l;
  auto sizes = x.sizes().vec();
  sizes[1] = l.channels;
  const auto y = at::empty(sizes, x.options(), l.format());
  const auto float_options = x.options().dtype(at::kFloat);
  statistics = {at::empty({l.batch, l.groups}, float_options), at::empty({l.batch, l.groups}, float_options),
                at::empty({l.batch, l.channels}, float_options)};
  if (x.scalar_type() == at::kFloat)
    Forward<float>(inputs, args.eps, args.silu, kernels.group_norm).run(y, statistics);
  else
    Forward<Bf16>(inputs, args.eps, args.silu, kernels.group_norm_bf16).run(y, statistics);
  return y;
}

}  // namespace gen::ops::cpu
