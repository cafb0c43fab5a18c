// The kernels' bodies of GroupNorm + SiLU: sums of each channel (one read), the coefficients of each channel from its
// group's sums, then the result (one read and one write), as src/ops/group_norm_cpu.cpp does it.
#pragma once

#include <cmath>

#include "gen/ops/fused/group_norm.h"

namespace gen::ops::fused {

/// Of a tensor in parts, where channel c of pixel p lies. Vectors never cross from x into skip.
template <class T>
GEN_HOST_DEVICE T* element_of(const GroupNormProblem& p, T* x, T* skip, int64_t n, int64_t c, int64_t pixel) {
  const int64_t first = skip ? p.first : p.channels, rest = p.channels - first;
  const bool in_x = c < first;
  T* base = in_x ? x : skip;
  const int64_t width = in_x ? first : rest, channel = in_x ? c : c - first;
  return base + (p.channels_last ? (n * p.pixels + pixel) * width + channel
                                 : (n * width + channel) * p.pixels + pixel);
}
template <class T>
GEN_HOST_DEVICE const T* source(const GroupNormProblem& p, int64_t n, int64_t c, int64_t pixel) {
  return element_of(p, static_cast<const T*>(p.x), static_cast<const T*>(p.skip), n, c, pixel);
}
template <class T>
GEN_HOST_DEVICE const T* upstream(const GroupNormProblem& p, int64_t n, int64_t c, int64_t pixel) {
  return element_of(p, static_cast<const T*>(p.dy), static_cast<const T*>(nullptr), n, c, pixel);
}

GEN_HOST_DEVICE float sigmoid(float u) { return 1.0F / (1.0F + expf(-u)); }
/// d silu(u) / du
GEN_HOST_DEVICE float silu_slope(float u) {
  const float s = sigmoid(u);
  return s * (1.0F + u * (1.0F - s));
}

/// What a channel adds to its two sums: of x about its first pixel and of the square in forward; of du and of du h in
/// backward, du the gradient of what the activation is given.
template <class T, bool kBackward>
struct ChannelSum {
  float pivot = 0, scale = 0, offset = 0, gamma = 0, beta = 0, first = 0, second = 0;
  bool silu = false;

  GEN_HOST_DEVICE void begin(const GroupNormProblem& p, int64_t n, int64_t c) {
    silu = p.silu;
    if constexpr (kBackward) {
      scale = p.hat_scale(n, c);
      offset = p.hat_offset(n, c);
      gamma = p.gamma(n, c);
      beta = p.beta(n, c);
    } else {
      pivot = to_float(*source<T>(p, n, c, 0));
    }
  }
  GEN_HOST_DEVICE void add(float x, float dy) {
    if constexpr (kBackward) {
      const float h = scale * x + offset;
      const float du = silu ? dy * silu_slope(gamma * h + beta) : dy;
      first += du;
      second += du * h;
    } else {
      first += x - pivot;
      second += (x - pivot) * (x - pivot);
    }
  }
};

GEN_HOST_DEVICE float* sums_of(const GroupNormProblem& p, int64_t n, int64_t slice, int64_t c) {
  return p.sums + ((n * p.slices + slice) * p.channels + c) * 2;
}

/// Planes: a warp for each (image, channel, slice), V pixels a lane at a time.
template <class T, int V, bool kBackward, class Team>
GEN_HOST_DEVICE void channel_sums_planes(const Team& team, const GroupNormProblem& p) {
  const int64_t warp = team.block() * (team.threads() / kWarp) + team.thread() / kWarp;
  if (warp >= p.batch * p.channels * p.slices) return;
  const int64_t slice = warp % p.slices, row = warp / p.slices, c = row % p.channels, n = row / p.channels;
  const int64_t begin = slice * p.slice_pixels();
  const int64_t end = begin + p.slice_pixels() < p.pixels ? begin + p.slice_pixels() : p.pixels;
  ChannelSum<T, kBackward> sum;
  sum.begin(p, n, c);
  for (int64_t i = begin + team.thread() % kWarp * V; i < end; i += kWarp * V) {
    float x[V], dy[V] = {};
    load<V>(source<T>(p, n, c, i), x);
    if constexpr (kBackward) load<V>(upstream<T>(p, n, c, i), dy);
    for (int k = 0; k < V; ++k) sum.add(x[k], dy[k]);
  }
  const float first = warp_sum(team, sum.first), second = warp_sum(team, sum.second);
  if (team.thread() % kWarp != 0) return;
  sums_of(p, n, slice, c)[0] = first;
  sums_of(p, n, slice, c)[1] = second;
}

template <int V>
struct ChannelSumsShared {
  float value[kGroupNormThreads * V * 2];
};
/// Channels last: each thread sums its V channels over the pixels of its row, then the rows are added in order.
template <class T, int V, bool kBackward, class Team>
GEN_HOST_DEVICE void channel_sums_last(const Team& team, const GroupNormProblem& p,
                                       ChannelSumsShared<V>& shared) {
  const auto tile = ChannelsLastTile::of<V>(p.channels);
  const int column = team.thread() % tile.columns, row = team.thread() / tile.columns;
  const int64_t n = team.block() / p.slices, slice = team.block() % p.slices;
  const int64_t tile_c = team.block_y() * tile.columns * V, c = tile_c + column * V;
  const int64_t begin = slice * p.slice_pixels();
  const int64_t end = begin + p.slice_pixels() < p.pixels ? begin + p.slice_pixels() : p.pixels;
  ChannelSum<T, kBackward> sum[V];
  if (c < p.channels) {
    for (int k = 0; k < V; ++k) sum[k].begin(p, n, c + k);
    for (int64_t i = begin + row; i < end; i += tile.rows) {
      float x[V], dy[V] = {};
      load<V>(source<T>(p, n, c, i), x);
      if constexpr (kBackward) load<V>(upstream<T>(p, n, c, i), dy);
      for (int k = 0; k < V; ++k) sum[k].add(x[k], dy[k]);
    }
  }
  for (int k = 0; k < V; ++k) {
    shared.value[(team.thread() * V + k) * 2] = sum[k].first;
    shared.value[(team.thread() * V + k) * 2 + 1] = sum[k].second;
  }
  team.sync();
  const int width = tile.columns * V * 2;  // sums of the tile, as they lie in p.sums
  for (int i = team.thread(); i < width; i += team.threads()) {
    if (tile_c + i / 2 >= p.channels) break;
    float total = 0;
    for (int r = 0; r < tile.rows; ++r) total += shared.value[r * width + i];
    sums_of(p, n, slice, tile_c)[i] = total;
  }
}

struct SumPair {
  double first = 0, second = 0;
};
GEN_HOST_DEVICE SumPair total_sums(const GroupNormProblem& p, int64_t n, int64_t c) {
  SumPair sum;
  for (int64_t slice = 0; slice < p.slices; ++slice) {
    sum.first += static_cast<double>(sums_of(p, n, slice, c)[0]);
    sum.second += static_cast<double>(sums_of(p, n, slice, c)[1]);
  }
  return sum;
}

/// A warp for each (image, group): y = act(table[0] x + table[1]) by channel. Chan et al. 1983 for the variance of a
/// group from the moments of its channels.
template <class T, class Team>
GEN_HOST_DEVICE void finish_forward(const Team& team, const GroupNormProblem& p) {
  const int64_t warp = team.block() * (team.threads() / kWarp) + team.thread() / kWarp;
  if (warp >= p.batch * p.groups) return;
  const int64_t n = warp / p.groups, size = p.channels / p.groups, c0 = warp % p.groups * size;
  const int lane = team.thread() % kWarp;
  const double pixels = static_cast<double>(p.pixels);
  const auto shift = [&](int64_t c) {
    return p.shift ? static_cast<double>(p.shift[n * p.channels + c]) : 0.0;
  };
  double mean = 0, square = 0;
  for (int64_t c = c0 + lane; c < c0 + size; c += kWarp) {
    const double channel =
        static_cast<double>(to_float(*source<T>(p, n, c, 0))) + total_sums(p, n, c).first / pixels;
    p.channel_mean[n * p.channels + c] = static_cast<float>(channel);
    mean += (channel + shift(c)) / static_cast<double>(size);
  }
  mean = warp_sum(team, mean);
  for (int64_t c = c0 + lane; c < c0 + size; c += kWarp) {
    const SumPair sum = total_sums(p, n, c);
    const double channel = static_cast<double>(to_float(*source<T>(p, n, c, 0))) + sum.first / pixels;
    const double off = channel + shift(c) - mean;
    square += sum.second - sum.first * sum.first / pixels + pixels * off * off;
  }
  square = warp_sum(team, square) / (pixels * static_cast<double>(size));
  const double rstd = 1.0 / sqrt((square < 0 ? 0 : square) + static_cast<double>(p.eps));
  if (lane == 0) {
    p.mean[warp] = static_cast<float>(mean);
    p.rstd[warp] = static_cast<float>(rstd);
  }
  for (int64_t c = c0 + lane; c < c0 + size; c += kWarp) {
    const double scale = static_cast<double>(p.gamma(n, c)) * rstd;
    p.coefficient(0, n, c) = static_cast<float>(scale);
    p.coefficient(1, n, c) =
        static_cast<float>(static_cast<double>(p.beta(n, c)) + scale * (shift(c) - mean));
  }
}

/// A warp for each (image, group): du = dy act'(table[0] x + table[1]), dx = table[2] du + table[3] x + table[4] by
/// channel, and the gradients of shift and film (src/ops/group_norm_cpu_backward.cpp has the formula).
template <class Team>
GEN_HOST_DEVICE void finish_backward(const Team& team, const GroupNormProblem& p) {
  const int64_t warp = team.block() * (team.threads() / kWarp) + team.thread() / kWarp;
  if (warp >= p.batch * p.groups) return;
  const int64_t n = warp / p.groups, size = p.channels / p.groups, c0 = warp % p.groups * size;
  const int lane = team.thread() % kWarp;
  const double pixels = static_cast<double>(p.pixels), N = pixels * static_cast<double>(size);
  double mean_grad = 0, mean_product = 0;
  for (int64_t c = c0 + lane; c < c0 + size; c += kWarp) {
    const SumPair sum = total_sums(p, n, c);
    mean_grad += static_cast<double>(p.gamma(n, c)) * sum.first / N;
    mean_product += static_cast<double>(p.gamma(n, c)) * sum.second / N;
  }
  mean_grad = warp_sum(team, mean_grad);
  mean_product = warp_sum(team, mean_product);
  for (int64_t c = c0 + lane; c < c0 + size; c += kWarp) {
    const SumPair sum = total_sums(p, n, c);
    const int64_t at = n * p.channels + c;
    const double scale = static_cast<double>(p.hat_scale(n, c)),
                 offset = static_cast<double>(p.hat_offset(n, c));
    const double gamma = static_cast<double>(p.gamma(n, c));
    const double a = scale * gamma, b = -scale * scale * mean_product,
                 d = -scale * (mean_grad + mean_product * offset);
    p.coefficient(0, n, c) = static_cast<float>(gamma * scale);
    p.coefficient(1, n, c) = static_cast<float>(gamma * offset + static_cast<double>(p.beta(n, c)));
    p.coefficient(2, n, c) = static_cast<float>(a);
    p.coefficient(3, n, c) = static_cast<float>(b);
    p.coefficient(4, n, c) = static_cast<float>(d);
    if (p.dshift)
      p.dshift[at] =
          static_cast<float>(a * sum.first + pixels * (b * static_cast<double>(p.channel_mean[at]) + d));
    if (p.dfilm_scale) {
      const double weight = static_cast<double>(p.weight[c]), bias = static_cast<double>(p.bias[c]);
      p.dfilm_scale[at] = static_cast<float>(weight * sum.second + bias * sum.first);
      p.dfilm_shift[at] = static_cast<float>(sum.first);
    }
  }
}

/// A thread for each channel: the gradients of weight and bias over the batch.
template <class Team>
GEN_HOST_DEVICE void finish_parameters(const Team& team, const GroupNormProblem& p) {
  const int64_t c = team.block() * team.threads() + team.thread();
  if (c >= p.channels) return;
  double weight = 0, bias = 0;
  for (int64_t n = 0; n < p.batch; ++n) {
    const SumPair sum = total_sums(p, n, c);
    const double scale = p.film_scale ? 1.0 + static_cast<double>(p.film_scale[n * p.channels + c]) : 1.0;
    weight += scale * sum.second;
    bias += scale * sum.first;
  }
  p.dweight[c] = static_cast<float>(weight);
  p.dbias[c] = static_cast<float>(bias);
}

/// One vector of the result: y in forward, dx or dskip in backward. `f` are its channels' coefficients.
template <class T, int V, bool kBackward>
GEN_HOST_DEVICE void write_vector(const GroupNormProblem& p, int64_t n, int64_t c, int64_t pixel,
                                  const float (&f)[5][V]) {
  float x[V], dy[V] = {}, out[V];
  load<V>(source<T>(p, n, c, pixel), x);
  if constexpr (kBackward) load<V>(upstream<T>(p, n, c, pixel), dy);
  for (int k = 0; k < V; ++k) {
    const float u = f[0][k] * x[k] + f[1][k];
    if constexpr (kBackward)
      out[k] = f[2][k] * (p.silu ? dy[k] * silu_slope(u) : dy[k]) + f[3][k] * x[k] + f[4][k];
    else
      out[k] = p.silu ? u * sigmoid(u) : u;
  }
  if constexpr (kBackward)
    store<V>(element_of(p, static_cast<T*>(p.dx), static_cast<T*>(p.dskip), n, c, pixel), out);
  else
    store<V>(element_of(p, static_cast<T*>(p.y), static_cast<T*>(nullptr), n, c, pixel), out);
}

/// Planes: a thread for each vector of V pixels.
template <class T, int V, bool kBackward, class Team>
GEN_HOST_DEVICE void write_planes(const Team& team, const GroupNormProblem& p) {
  const auto i = static_cast<uint32_t>(team.block() * team.threads() + team.thread());
  const auto vectors = static_cast<uint32_t>(p.pixels / V);
  const uint32_t row = i / vectors, channels = static_cast<uint32_t>(p.channels);
  if (row >= static_cast<uint32_t>(p.batch) * channels) return;
  const int64_t n = row / channels, c = row % channels;
  float f[5][V];
  for (int j = 0; j < (kBackward ? 5 : 2); ++j)
    for (int k = 0; k < V; ++k) f[j][k] = p.coefficient(j, n, c);
  write_vector<T, V, kBackward>(p, n, c, static_cast<int64_t>(i % vectors) * V, f);
}

/// Channels last. Grid: x = image * tiles + tile of pixels, y = tile of columns.
template <class T, int V, bool kBackward, class Team>
GEN_HOST_DEVICE void write_last(const Team& team, const GroupNormProblem& p) {
  const auto tile = ChannelsLastTile::of<V>(p.channels);
  const int64_t tile_pixels = int64_t{kPixelsPerThread} * tile.rows,
                tiles = (p.pixels + tile_pixels - 1) / tile_pixels;
  const int64_t n = team.block() / tiles, begin = team.block() % tiles * tile_pixels;
  const int64_t c = (team.block_y() * tile.columns + team.thread() % tile.columns) * V;
  if (c >= p.channels) return;
  float f[5][V];
  for (int j = 0; j < (kBackward ? 5 : 2); ++j)
    for (int k = 0; k < V; ++k) f[j][k] = p.coefficient(j, n, c + k);
  const int64_t end = begin + tile_pixels < p.pixels ? begin + tile_pixels : p.pixels;
  for (int64_t i = begin + team.thread() / tile.columns; i < end; i += tile.rows)
    write_vector<T, V, kBackward>(p, n, c, i, f);
}

}  // namespace gen::ops::fused
