#include "ops/flash/decoding.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "ops/flash/scores.h"

namespace gen::ops::flash::cpu {
namespace {

class Decoding {
  /// Keys that one task reads: long enough that summing the parts costs nothing, short enough for many threads.
  static constexpr int64_t kPart = 2 * kBlockColumns;

 public:
  Decoding(const Problem& p, const std::vector<Sequence>& all, const ForwardResult& result,
           const simd::Kernels& kernels)
      : p_(p),
        all_(all),
        result_(result),
        k_(*kernels.attention),
        floats_(*kernels.operands[static_cast<size_t>(DType::f32)]),
        scores_(p, kernels),
        q_(view(p.q, p.q_strides, p.dtype, kernels)),
        key_(view(p.k, p.k_strides, p.dtype, kernels)),
        value_(view(p.v, p.v_strides, p.dtype, kernels)),
        out_(view(result.out, result.out_strides, p.dtype, kernels)),
        ld_((p.dim + kernels.gemm->lanes - 1) / kernels.gemm->lanes * kernels.gemm->lanes),
        group_(p.heads / p.kv_heads) {
    int64_t size = 0;
    for (size_t i = 0; i < all_.size(); ++i)
      for (int64_t h = 0; h < p_.kv_heads; ++h) {
        const Range seen = all_[i].band.columns({0, all_[i].lq}, all_[i].lk);
        const int64_t count = std::max<int64_t>(1, (seen.end - seen.begin + kPart - 1) / kPart);
        for (int64_t n = 0; n < count; ++n) {
          const int64_t first = seen.begin + n * kPart;
          parts_.push_back({queries_.size(), size, {first, std::min(first + kPart, seen.end)}});
          size += group_ * all_[i].lq * row_size();
        }
        queries_.push_back({i, h, parts_.size() - static_cast<size_t>(count), count});
      }
    sums_ = Buffer(size);
  }

  void run() const {
    std::vector<std::atomic<int64_t>> missing(queries_.size());
    for (size_t i = 0; i < queries_.size(); ++i) missing[i] = queries_[i].num_parts;
    std::vector<size_t> numbers(parts_.size());
    std::iota(numbers.begin(), numbers.end(), size_t{0});
    each_block(
        numbers, [&] { return Workspace(*this); },
        [&](size_t number, Workspace& w) {
          one_part(number, w);
          const size_t queries = parts_[number].queries;
          if (--missing[queries] == 0) combine(queries_[queries], w.out.data());
        });
  }

 private:
  /// The queries that share a key head, head by head, and the parts of its keys.
  struct Queries {
    size_t sequence = 0;
    int64_t kv_head = 0;
    size_t first_part = 0;
    int64_t num_parts = 0;
  };
  struct Part {
    size_t queries = 0;
    int64_t first_sum = 0;
    Range keys;
  };
  struct Workspace {
    explicit Workspace(const Decoding& d)
        : q(kFewRows * d.ld_),
          out(kFewRows * d.ld_),
          scores(kFewRows * kBlockColumns),
          factors(d.scores_.has_dropout() ? kFewRows * kBlockColumns : 0),
          values(d.p_.key_mask != nullptr ? kBlockColumns * d.p_.dim : 0) {}
    Buffer q, out, scores, factors, values;
    float max[kFewRows], sum[kFewRows], decay[kFewRows];
  };

  /// What a part leaves for each row: out before its division, the maximum and the sum.
  int64_t row_size() const { return ld_ + 2; }
  float* sums_of(size_t part, int64_t row) const {
    return sums_.data() + parts_[part].first_sum + row * row_size();
  }

  void one_part(size_t number, Workspace& w) const {
    const Part& part = parts_[number];
    const Queries& queries = queries_[part.queries];
    const auto& s = all_[queries.sequence];
    const int64_t rows = group_ * s.lq;
    std::fill_n(w.q.data(), rows * ld_, 0.0F);
    for (int64_t g = 0; g < group_; ++g)
      q_.operand->widen(q_.at(s.batch, queries.kv_head * group_ + g, s.first_q), q_.strides.row, s.lq, p_.dim,
                        w.q.data() + g * s.lq * ld_, ld_);
    std::fill_n(w.max, rows, -kInfinity);
    std::fill_n(w.sum, rows, 0.0F);
    std::fill_n(w.out.data(), rows * ld_, 0.0F);
    for (int64_t j = part.keys.begin; j < part.keys.end; j += kBlockColumns)
      attend(s, queries.kv_head,
             {.queries = {0, s.lq}, .keys = {j, std::min(j + kBlockColumns, part.keys.end)}}, w);
    for (int64_t r = 0; r < rows; ++r) {
      float* to = sums_of(number, r);
      std::copy_n(w.out.data() + r * ld_, ld_, to);
      to[ld_] = w.max[r];
      to[ld_ + 1] = w.sum[r];
    }
  }

  /// One head's rows of the tile after another.
  void attend(const Sequence& s, int64_t kv_head, const Tile& tile, Workspace& w) const {
    const int64_t columns = tile.columns(), rows = group_ * s.lq, num_visible = s.num_visible(tile.keys);
    if (num_visible == 0) return;
    float* scores = w.scores.data();
    key_.operand->multiply_transposed(w.q.data(), ld_, key_.at(s.batch, kv_head, s.first_k + tile.keys.begin),
                                      key_.strides.row, p_.dim, scores, kBlockColumns, rows, columns);
    const auto each_head = [&](const auto& body) {
      for (int64_t g = 0; g < group_; ++g) body(kv_head * group_ + g, g * s.lq * kBlockColumns);
    };
    float scale = p_.scale;
    if (!scores_.plain(s, tile)) {
      each_head([&](int64_t head, int64_t at) { scores_.modify(s, head, tile, scores + at, nullptr); });
      scale = 1;
    }
    k_.softmax(scores, kBlockColumns, rows, columns, scale, w.max, w.sum, w.decay);
    if (scores_.has_dropout()) {
      each_head(
          [&](int64_t head, int64_t at) { scores_.dropout_factors(s, head, tile, w.factors.data() + at); });
      k_.multiply(scores, w.factors.data(), kBlockColumns, rows, columns);
    }
    k_.scale_rows(w.out.data(), ld_, rows, ld_, w.decay);
    const void* values = value_.at(s.batch, kv_head, s.first_k + tile.keys.begin);
    if (num_visible == columns) {
      value_.operand->add_product({scores, kBlockColumns}, values, value_.strides.row, columns, w.out.data(),
                                  ld_, rows, p_.dim);
    } else {
      const auto visible = key_rows_of(value_, s, kv_head, tile.keys, p_.dim, w.values.data());
      floats_.add_product({scores, kBlockColumns}, visible.data, visible.row_stride, columns, w.out.data(),
                          ld_, rows, p_.dim);
    }
  }

  /// The parts' averages, weighted by their sums of exponentials.
  void combine(const Queries& queries, float* out) const {
    const auto& s = all_[queries.sequence];
    for (int64_t r = 0; r < group_ * s.lq; ++r) {
      const auto part = [&](int64_t i) { return sums_of(queries.first_part + static_cast<size_t>(i), r); };
      float max = -kInfinity, sum = 0;
      for (int64_t i = 0; i < queries.num_parts; ++i) max = std::max(max, part(i)[ld_]);
      std::fill_n(out, ld_, 0.0F);
      for (int64_t i = 0; i < queries.num_parts; ++i) {
        const float* from = part(i);
        if (from[ld_ + 1] == 0) continue;  // it hides all its keys
        const float weight = std::exp(from[ld_] - max);
        sum += weight * from[ld_ + 1];
        for (int64_t d = 0; d < ld_; ++d) out[d] += weight * from[d];
      }
      const int64_t head = queries.kv_head * group_ + r / s.lq, row = r % s.lq;
      result_.lse[s.batch * result_.lse_batch_stride + head * result_.lse_head_stride + s.first_q + row] =
          sum == 0 ? -kInfinity : max + std::log(sum);
      store_rows(out_, s, s.first_q, head, {row, row + 1}, p_.dim, out, ld_, sum == 0 ? 0 : 1 / sum);
    }
  }

  const Problem& p_;
  const std::vector<Sequence>& all_;
  const ForwardResult& result_;
  const simd::AttentionKernels& k_;
  const simd::OperandKernels& floats_;
  Scores scores_;
  View q_, key_, value_, out_;
  int64_t ld_, group_;
  std::vector<Queries> queries_;
  std::vector<Part> parts_;
  Buffer sums_;
};

}  // namespace

void decode(const Problem& problem, const std::vector<Sequence>& sequences, const ForwardResult& result,
            const simd::Kernels& kernels) {
  Decoding(problem, sequences, result, kernels).run();
}

}  // namespace gen::ops::flash::cpu
