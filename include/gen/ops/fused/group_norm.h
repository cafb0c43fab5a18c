// GroupNorm + SiLU as raw pointers, and how a GPU's blocks cover it. No torch here.
#pragma once

#include "gen/ops/fused/element.h"
#include "gen/ops/fused/team.h"

namespace gen::ops::fused {

/// y = act((1 + film_scale) (weight h + bias) + film_shift), h = the normalised cat(x, skip) + shift. Planes are
/// [B, C, P], channels last is [B, P, C]; skip is a tensor of its own in either. Null where absent.
struct GroupNormProblem {
  int64_t batch = 0, channels = 0, first = 0;  ///< x has `first` of the channels, skip the rest
  int64_t pixels = 0, groups = 0;
  bool channels_last = false, silu = true;
  DType dtype = DType::f32;  ///< of x, skip, y and their gradients
  float eps = 1e-5F;
  const void *x = nullptr, *skip = nullptr;
  const float *weight = nullptr, *bias = nullptr;                              ///< [C]
  const float *shift = nullptr, *film_scale = nullptr, *film_shift = nullptr;  ///< [B, C]
  void* y = nullptr;                                                           ///< forward's result
  float *mean = nullptr, *rstd = nullptr, *channel_mean = nullptr;             ///< [B, G] twice, [B, C]
  const void* dy = nullptr;                                                    ///< backward's input, like y
  void *dx = nullptr, *dskip = nullptr;
  float *dweight = nullptr, *dbias = nullptr;                               ///< [C]
  float *dshift = nullptr, *dfilm_scale = nullptr, *dfilm_shift = nullptr;  ///< [B, C]
  int64_t slices = 1;      ///< pieces that an image's pixels are cut into for the sums
  float* sums = nullptr;   ///< work space [B, slices, C, 2]
  float* table = nullptr;  ///< work space [5, B, C]

  GEN_HOST_DEVICE int64_t slice_pixels() const {
    const int64_t each = (pixels + slices - 1) / slices;
    return (each + 15) / 16 * 16;  // so that vectors do not cross slices
  }
  GEN_HOST_DEVICE float gamma(int64_t n, int64_t c) const {
    return film_scale ? weight[c] * (1 + film_scale[n * channels + c]) : weight[c];
  }
  GEN_HOST_DEVICE float beta(int64_t n, int64_t c) const {
    const int64_t at = n * channels + c;
    return film_scale ? bias[c] * (1 + film_scale[at]) + film_shift[at] : bias[c];
  }
  /// Of the normalised input h = scale x + offset, in backward.
  GEN_HOST_DEVICE float hat_scale(int64_t n, int64_t c) const {
    return rstd[n * groups + c / (channels / groups)];
  }
  GEN_HOST_DEVICE float hat_offset(int64_t n, int64_t c) const {
    const float shifted =
        (shift ? shift[n * channels + c] : 0.0F) - mean[n * groups + c / (channels / groups)];
    return shifted * hat_scale(n, c);
  }
  GEN_HOST_DEVICE float& coefficient(int i, int64_t n, int64_t c) const {
    return table[(i * batch + n) * channels + c];
  }
};

/// Pixels of a channel whose float sums one thread or warp makes.
inline constexpr int64_t kGroupNormSlice = 2048;
inline constexpr int kGroupNormThreads = 256;

/// How a block of kGroupNormThreads covers channels-last memory: `columns` vectors of channels beside each other, as
/// many pixels at once as the rest of the threads allow. Grid: x = image * slices + slice, y = tile of columns.
struct ChannelsLastTile {
  int columns, rows;
  template <int V>
  GEN_HOST_DEVICE static ChannelsLastTile of(int64_t channels) {
    int columns = 1;
    while (columns < 32 && columns * V < channels) columns *= 2;
    return {columns, kGroupNormThreads / columns};
  }
};

/// Pixels that a thread of channels-last memory writes with the coefficients it has read.
inline constexpr int kPixelsPerThread = 8;

/// Pieces that the sums are cut into: enough for a GPU to be busy, not so small that adding them up costs.
inline int64_t group_norm_slices(const GroupNormProblem& p) {
  constexpr int64_t kBlocks = 1024, kLeast = 64;
  const int64_t units = p.channels_last ? p.batch : (p.batch * p.channels + 7) / 8;
  const int64_t wanted = (kBlocks + units - 1) / units, most = (p.pixels + kLeast - 1) / kLeast;
  const int64_t least = (p.pixels + kGroupNormSlice - 1) / kGroupNormSlice;
  const int64_t slices = wanted < most ? wanted : most;
  return slices > least ? slices : least;
}

/// Whether every vector of V elements is aligned and whole.
inline bool group_norm_vectors(const GroupNormProblem& p, int64_t v) {
  const bool whole = p.channels_last ? p.first % v == 0 && p.channels % v == 0 : p.pixels % v == 0;
  bool fits = whole;
  for (const void* pointer : {p.x, p.skip, static_cast<const void*>(p.y), p.dy,
                              static_cast<const void*>(p.dx), static_cast<const void*>(p.dskip)})
    fits = fits && aligned(pointer);
  return fits;
}

/// The grids of one direction; `threads` a block in all of them.
struct GroupNormGrid {
  int64_t sums = 0, sums_y = 1, groups = 0, parameters = 0, write = 0, write_y = 1;
};
template <int V>
GroupNormGrid group_norm_grid(const GroupNormProblem& p) {
  const auto blocks = [](int64_t threads) { return (threads + kGroupNormThreads - 1) / kGroupNormThreads; };
  GroupNormGrid grid;
  grid.groups = blocks(p.batch * p.groups * kWarp);
  grid.parameters = blocks(p.channels);
  if (!p.channels_last) {
    grid.sums = blocks(p.batch * p.channels * p.slices * kWarp);
    grid.write = blocks(p.batch * p.channels * (p.pixels / V));
    return grid;
  }
  const auto tile = ChannelsLastTile::of<V>(p.channels);
  const int64_t tile_pixels = int64_t{kPixelsPerThread} * tile.rows;
  grid.sums = p.batch * p.slices;
  grid.write = p.batch * ((p.pixels + tile_pixels - 1) / tile_pixels);
  grid.sums_y = grid.write_y = (p.channels + tile.columns * V - 1) / (tile.columns * V);
  return grid;
}

/// The launchers exported by libgen_cuda.so. Return a cudaError_t.
using GroupNormLauncher = int (*)(const GroupNormProblem* problem, void* stream);
inline constexpr const char* kGroupNormForwardSymbol = "gen_cuda_group_norm_forward";
inline constexpr const char* kGroupNormBackwardSymbol = "gen_cuda_group_norm_backward";

}  // namespace gen::ops::fused
