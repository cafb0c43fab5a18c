#include "ops/group_norm_cpu.h"
#include "ops/group_norm_layout.h"

namespace gen::ops::cpu {
namespace {

using simd::Bf16;

/// With h the normalised input, u = gamma h + beta (gamma and beta those of Inputs), y = silu(u) and N the elements of a group:
/// dx = rstd (gamma du - c1 - h c2), c1 = sum(gamma du) / N, c2 = sum(gamma du h) / N (Wu & He 2018,
/// differentiated).
template <class T>
class Backward {
 public:
  Backward(const Inputs& inputs, const at::Tensor& grad, bool silu, const GroupNormStatistics& statistics,
           const simd::GroupNormKernels<T>& kernels)
      : in_(inputs),
        l_(inputs.l),
        silu_(silu),
        statistics_(statistics),
        k_(kernels),
        slices_(slices_of(l_)),
        sums_(l_, slices_),
        a_(l_.batch, l_.channels),
        b_(l_.batch, l_.channels),
        d_(l_.batch, l_.channels),
        scale_(l_.batch, l_.channels),
        offset_(l_.batch, l_.channels),
        gamma_(l_.batch, l_.channels),
        beta_(l_.batch, l_.channels),
        source_{data<const T>(in_.x), data<const T>(in_.skip)},
        grad_{data<const T>(grad), nullptr} {
    for (int64_t n = 0; n < l_.batch; ++n)
      for (int64_t c = 0; c < l_.channels; ++c) {
        const int64_t group = n * l_.groups + c / l_.group_size();
        const float rstd = data<float>(statistics.rstd)[group];
        scale_.row(n)[c] = rstd;
        offset_.row(n)[c] = (in_.shift_of(n, c) - data<float>(statistics.mean)[group]) * rstd;
        gamma_.row(n)[c] = in_.gamma(n, c);
        beta_.row(n)[c] = in_.beta(n, c);
      }
  }

  void run(GroupNormGrads& grads) {
    target_ = {data<T>(grads.x), data<T>(grads.skip)};
    in_three_stages(
        l_, slices_, [&](int64_t u, int64_t slice, int64_t begin, int64_t end) { sum(u, slice, begin, end); },
        [&](int64_t u) { finish(u, grads); },
        [&](int64_t u, int64_t begin, int64_t end) { combine(u, begin, end); });
    for (int64_t c = 0; c < l_.channels; ++c) finish_channel(c, grads);
  }

 private:
  /// du, kept in dx until combine(), and its sums.
  void sum(int64_t unit, int64_t slice, int64_t begin, int64_t end) {
    const int64_t n = l_.image(unit), c1 = l_.last_channel(unit);
    const float *gamma = gamma_.row(n), *beta = beta_.row(n);
    std::vector<float> s(static_cast<size_t>(l_.channels)), q(s.size());
    for (int64_t p = begin; p < end; p += kChunk) {
      const int64_t pixels = std::min(kChunk, end - p);
      if (!l_.channels_last) {
        for (int64_t c = l_.first_channel(unit); c < c1; ++c) {
          float first = 0, second = 0;
          k_.grad_plane(source_.plane(l_, n, c) + p, grad_.plane(l_, n, c) + p, target_.plane(l_, n, c) + p,
                        pixels, scale_.row(n)[c], offset_.row(n)[c], gamma[c], beta[c], silu_, &first,
                        &second);
          sums_.add(n, slice, c, first, second);
        }
        continue;
      }
      const T* dy = grad_.x + (n * l_.pixels + p) * l_.channels;
      source_.rows(l_, n, p, [&](const T* x, int64_t ld, int64_t c, int64_t count) {
        T* du = (c == 0 ? target_.x : target_.skip) + (n * l_.pixels + p) * ld;
        k_.grad_rows(x, ld, dy + c, l_.channels, du, pixels, count, scale_.row(n) + c, offset_.row(n) + c,
                     gamma + c, beta + c, silu_, s.data() + c, q.data() + c);
      });
      for (int64_t c = 0; c < l_.channels; ++c)
        sums_.add(n, slice, c, s[static_cast<size_t>(c)], q[static_cast<size_t>(c)]);
    }
  }

  void finish(int64_t unit, const GroupNormGrads& grads) {
    const int64_t n = l_.image(unit), c1 = l_.last_channel(unit), size = l_.group_size();
    for (int64_t c = l_.first_channel(unit); c < c1; c += size) finish_group(n, c, grads.shift);
  }

  /// With s = 1 + film_scale, u = s (gamma h + beta) + film_shift.
  void finish_channel(int64_t c, const GroupNormGrads& grads) {
    const double gamma = static_cast<double>(data<float>(in_.weight)[c]);
    const double beta = static_cast<double>(data<float>(in_.bias)[c]);
    double bias_grad = 0, weight_grad = 0;
    for (int64_t n = 0; n < l_.batch; ++n) {
      const auto [sum, product] = sums_.total(n, c);
      const int64_t at = n * l_.channels + c;
      double scale = 1;
      if (in_.film_scale.defined()) {
        scale += static_cast<double>(data<float>(in_.film_scale)[at]);
        data<float>(grads.film_scale)[at] = static_cast<float>(gamma * product + beta * sum);
        data<float>(grads.film_shift)[at] = static_cast<float>(sum);
      }
      bias_grad += scale * sum;
      weight_grad += scale * product;
    }
    data<float>(grads.bias)[c] = static_cast<float>(bias_grad);
    data<float>(grads.weight)[c] = static_cast<float>(weight_grad);
  }

  void finish_group(int64_t n, int64_t c0, const at::Tensor& shift_grad) {
    const int64_t size = l_.group_size();
    const double pixels = static_cast<double>(l_.pixels), N = pixels * static_cast<double>(size);
    const double rstd = static_cast<double>(data<float>(statistics_.rstd)[n * l_.groups + c0 / size]);
    double mean_grad = 0, mean_product = 0;
    for (int64_t c = c0; c < c0 + size; ++c) {
      const double gamma = static_cast<double>(gamma_.row(n)[c]);
      const auto [s, q] = sums_.total(n, c);
      mean_grad += gamma * s / N;
      mean_product += gamma * q / N;
    }
    for (int64_t c = c0; c < c0 + size; ++c) {
      const double a = rstd * static_cast<double>(gamma_.row(n)[c]);
      const double b = -rstd * rstd * mean_product;
      const double d = -rstd * (mean_grad + mean_product * static_cast<double>(offset_.row(n)[c]));
      a_.row(n)[c] = static_cast<float>(a);
      b_.row(n)[c] = static_cast<float>(b);
      d_.row(n)[c] = static_cast<float>(d);
      if (!shift_grad.defined()) continue;
      const int64_t at = n * l_.channels + c;  // the shift's gradient is the sum of dx over the pixels
      const double mean = static_cast<double>(data<float>(statistics_.channel_mean)[at]);
      data<float>(shift_grad)[at] = static_cast<float>(a * sums_.total(n, c).first + pixels * (b * mean + d));
    }
  }

  void combine(int64_t unit, int64_t begin, int64_t end) {
    const int64_t n = l_.image(unit), c1 = l_.last_channel(unit);
    if (!l_.channels_last) {
      for (int64_t c = l_.first_channel(unit); c < c1; ++c)
        k_.combine_plane(source_.plane(l_, n, c) + begin, target_.plane(l_, n, c) + begin, end - begin,
                         a_.row(n)[c], b_.row(n)[c], d_.row(n)[c]);
      return;
    }
    source_.rows(l_, n, begin, [&](const T* x, int64_t ld, int64_t c, int64_t count) {
      T* dx = (c == 0 ? target_.x : target_.skip) + (n * l_.pixels + begin) * ld;
      k_.combine_rows(x, dx, ld, end - begin, count, a_.row(n) + c, b_.row(n) + c, d_.row(n) + c);
    });
  }

  const Inputs& in_;
  const Layout& l_;
  bool silu_;
  const GroupNormStatistics& statistics_;
  const simd::GroupNormKernels<T>& k_;
  int64_t slices_;
  ChannelSums sums_;
  Table a_, b_, d_, scale_, offset_, gamma_, beta_;
  Parts<const T> source_, grad_;
  Parts<T> target_{};
};

}  // namespace

GroupNormGrads group_norm_backward(const at::Tensor& grad, const at::Tensor& x, const GroupNormArgs& args,
                                   const GroupNormStatistics& statistics, const simd::Kernels& kernels) {
  const Inputs inputs(x.detach(), args);
  const Layout& l = inputs.l;
  const auto float_options = x.options().dtype(at::kFloat);
  GroupNormGrads grads;
  grads.x = at::empty(inputs.x.sizes(), x.options(), l.format());
  if (inputs.skip.defined()) grads.skip = at::empty(inputs.skip.sizes(), x.options(), l.format());
  grads.weight = at::empty({l.channels}, float_options);
  grads.bias = at::empty({l.channels}, float_options);
  if (args.shift.defined()) grads.shift = at::empty({l.batch, l.channels}, float_options);
  if (args.film_scale.defined()) {
    grads.film_scale = at::empty({l.batch, l.channels}, float_options);
    grads.film_shift = at::empty({l.batch, l.channels}, float_options);
  }
  const auto dy = grad.to(x.scalar_type()).contiguous(l.format());
  if (x.scalar_type() == at::kFloat)
    Backward<float>(inputs, dy, args.silu, statistics, kernels.group_norm).run(grads);
  else
    Backward<Bf16>(inputs, dy, args.silu, statistics, kernels.group_norm_bf16).run(grads);
  return grads;
}

}  // namespace gen::ops::cpu
