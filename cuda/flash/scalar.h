// Attention in float32 arithmetic, one multiply-add an instruction: float32 tensors (the tensor cores would round their
// operands to 10 bits), and the gradient of a bias in any dtype. A block keeps 32 rows of one side, queries or keys, and
// meets the other side 32 rows at a time; four threads share a row. Every option of the contract, rows of any alignment.
#pragma once

#include "flash/backward.h"
#include "flash/forward.h"
#include "flash/query_grads.h"

namespace gen::flash {

template <int Dim>
struct ScalarTile {
  static constexpr int kThreads = 128, kRows = 32, kParts = 4;
  static constexpr int kScores = kRows / kParts;  // of a thread
  static constexpr int kColumns = Dim / kParts;   // of a thread's part of a row of results
  static constexpr int kPitch = Dim + 1;          // so that rows lie in different banks
  static constexpr uint32_t kMatrix = kRows * kPitch * 4;
  static constexpr uint32_t kWeights = 4 * kMatrix, kWeightPitch = kRows + 1;
  static constexpr uint32_t kSharedBytes = kWeights + 2 * kRows * kWeightPitch * 4;
  static_assert(kSharedBytes <= kMostSharedBytes, "shared memory of a thread block on sm_80");
};

/// This thread's part of a block's work.
template <int Dim, typename Machine>
struct ScalarBlock {
  using Tile = ScalarTile<Dim>;
  using Row = float[Tile::kScores];
  using Result = float[Tile::kColumns];

  Machine& m;
  int dim;

  GEN_DEVICE int row() const { return m.thread() / Tile::kParts; }
  GEN_DEVICE int part() const { return m.thread() % Tile::kParts; }
  /// Which of the other side's rows a thread's score is with.
  GEN_DEVICE int other(int c) const { return part() + Tile::kParts * c; }
  GEN_DEVICE uint32_t at(int matrix, int line, int d) const {
    return m.shared() + static_cast<uint32_t>(matrix) * Tile::kMatrix +
           static_cast<uint32_t>(4 * (line * Tile::kPitch + d));
  }
  GEN_DEVICE uint32_t weight_at(int which, int line, int column) const {
    return m.shared() + Tile::kWeights +
           static_cast<uint32_t>(
               4 * ((which * Tile::kRows + line) * static_cast<int>(Tile::kWeightPitch) + column));
  }

  /// Rows [first, first + 32), zeros where there are none or they are hidden.
  template <typename T>
  GEN_DEVICE void load(int matrix, const Rows<T>& from, int first) {
    for (int index = m.thread(); index < Tile::kRows * dim; index += Tile::kThreads) {
      const int line = index / dim, d = index % dim, i = first + line;
      const bool present = i < from.rows && (from.visible == nullptr || from.visible[i] != 0);
      const float x = present ? ops::fused::to_float(from.data[i * from.stride + d]) : 0.0F;
      m.store(at(matrix, line, d), ops::fused::bits_as<uint32_t>(x));
    }
  }
  /// The inner products of this thread's row of `matrix` with rows of `others`.
  GEN_DEVICE void multiply(int matrix, int others, Row& products) {
#pragma unroll
    for (int c = 0; c < Tile::kScores; ++c) products[c] = 0;
    for (int d = 0; d < dim; ++d) {
      const float x = m.load_float(at(matrix, row(), d));
#pragma unroll
      for (int c = 0; c < Tile::kScores; ++c) products[c] += x * m.load_float(at(others, other(c), d));
    }
  }
  GEN_DEVICE void store_weights(int which, const Row& weights) {
#pragma unroll
    for (int c = 0; c < Tile::kScores; ++c)
      m.store(weight_at(which, row(), other(c)), ops::fused::bits_as<uint32_t>(weights[c]));
  }
  /// result += the sum of rows of `others` by this row's weights. The other threads of the row have stored theirs.
  GEN_DEVICE void accumulate(int which, int others, Result& result) {
    for (int j = 0; j < Tile::kRows; ++j) {
      const float w = m.load_float(weight_at(which, row(), j));
#pragma unroll
      for (int c = 0; c < Tile::kColumns; ++c)
        if (part() + Tile::kParts * c < dim)
          result[c] += w * m.load_float(at(others, j, part() + Tile::kParts * c));
    }
  }
  GEN_DEVICE float row_sum(float x) const {
    x += m.shuffle_xor(x, 1);
    return x + m.shuffle_xor(x, 2);
  }
  GEN_DEVICE float row_maximum(float x) const {
    x = fmaxf(x, m.shuffle_xor(x, 1));
    return fmaxf(x, m.shuffle_xor(x, 2));
  }
  template <typename T>
  GEN_DEVICE void write(const Result& result, float factor, T* line) const {
#pragma unroll
    for (int c = 0; c < Tile::kColumns; ++c)
      if (part() + Tile::kParts * c < dim)
        line[part() + Tile::kParts * c] = ops::fused::from_float<T>(result[c] * factor);
  }
};

template <typename Row>
GEN_DEVICE void clear_row(Row& row) {
#pragma unroll
  for (auto& x : row) x = 0;
}

/// By blocks of queries.
template <int Dim, typename T, typename Machine>
GEN_DEVICE void scalar_forward(Machine& m, const ForwardArguments& a) {
  using Block = ScalarBlock<Dim, Machine>;
  const Problem& p = a.problem;
  const Order::Work work = a.order(m.block());
  const Head head = head_of(p, work.batch, work.head);
  const int first = work.tile * Block::Tile::kRows;
  if (first >= head.lq) return;
  const int last = first + Block::Tile::kRows < head.lq ? first + Block::Tile::kRows : head.lq;
  const General rule{p, head};
  const KeyTiles tiles = key_tiles(head.band, {first, last}, head.lk, Block::Tile::kRows);
  Block block{m, static_cast<int>(p.dim)};
  const int i = first + block.row();
  const Visible sees = visible(head.narrow_band, i);
  float maximum = negative_infinity(), sum = 0;
  typename Block::Result out;
  clear_row(out);
  block.load(0, query_rows<T>(p, head, p.q, p.q_strides, false), first);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    const int key_first = tile * Block::Tile::kRows;
    m.sync();
    block.load(1, key_rows<T>(p, head, p.k, p.k_strides, false), key_first);
    block.load(2, key_rows<T>(p, head, p.v, p.v_strides, false), key_first);
    m.sync();
    typename Block::Row scores;
    block.multiply(0, 1, scores);
    float next = maximum;
#pragma unroll
    for (int c = 0; c < Block::Tile::kScores; ++c) {
      const int j = key_first + block.other(c);
      scores[c] = j >= sees.first && j <= sees.last ? rule.score(scores[c], i, j) : negative_infinity();
      next = fmaxf(next, scores[c]);
    }
    next = block.row_maximum(next);
    const float shift = next == negative_infinity() ? 0.0F : next, decay = expf(maximum - shift);
    sum *= decay;
#pragma unroll
    for (int c = 0; c < Block::Tile::kScores; ++c) {
      scores[c] = expf(scores[c] - shift);
      sum += scores[c];
      scores[c] *= rule.keep(i, key_first + block.other(c));
    }
    maximum = next;
#pragma unroll
    for (float& x : out) x *= decay;
    block.store_weights(0, scores);
    m.sync_warp();
    block.accumulate(0, 2, out);
  }
  sum = block.row_sum(sum);
  if (i >= head.lq) return;
  const auto& to = a.result;
  if (to.lse != nullptr && block.part() == 0) to.lse[head.lse_offset(to) + i] = log_sum_exp(maximum, sum, 1);
  block.write(out, normaliser(sum),
              static_cast<T*>(to.out) + head.query_offset(to.out_strides) + i * to.out_strides.row);
}

/// One tile's probabilities (dropped) and gradients of scores; `queries` says that this thread's row is a query.
template <int Dim, typename Machine>
GEN_DEVICE void scalar_score_grads(const ScalarBlock<Dim, Machine>& block, const General& rule,
                                   const GradArguments& a, bool queries, int first, int other_first,
                                   float (&products)[ScalarTile<Dim>::kScores],
                                   float (&grads)[ScalarTile<Dim>::kScores], bool to_product) {
  const Head& head = rule.head;
  const int64_t lse_offset = head.lse_offset(a.backward.forward);
#pragma unroll
  for (int c = 0; c < ScalarTile<Dim>::kScores; ++c) {
    const int row = first + block.row(), other = other_first + block.other(c);
    const int i = queries ? row : other, j = queries ? other : row;
    const Visible sees = visible(head.narrow_band, i);
    const bool seen = i < head.lq && j >= sees.first && j <= sees.last;
    const float lse2 = i < head.lq ? power_of_lse(a.backward.forward.lse[lse_offset + i]) : INFINITY;
    const float delta = i < head.lq ? a.backward.delta[lse_offset + i] : 0.0F;
    const float slope = to_product ? rule.slope(products[c]) : 1.0F;
    const ScoreGrad g = score_grad(rule, products[c], grads[c], i, j, seen, lse2, delta);
    products[c] = g.probability;
    grads[c] = g.grad * slope;
  }
}

template <int Dim, typename T, typename Machine>
GEN_DEVICE void scalar_query_grads(Machine& m, const GradArguments& a) {
  using Block = ScalarBlock<Dim, Machine>;
  const Problem& p = a.problem;
  const Order::Work work = a.order(m.block());
  const Head head = head_of(p, work.batch, work.head);
  const int first = work.tile * Block::Tile::kRows;
  if (first >= head.lq) return;
  const int last = first + Block::Tile::kRows < head.lq ? first + Block::Tile::kRows : head.lq;
  const General rule{p, head};
  const KeyTiles tiles = key_tiles(head.band, {first, last}, head.lk, Block::Tile::kRows);
  Block block{m, static_cast<int>(p.dim)};
  typename Block::Result grad_q;
  clear_row(grad_q);
  block.load(0, query_rows<T>(p, head, p.q, p.q_strides, false), first);
  block.load(1, grad_rows<T>(a, head), first);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    const int key_first = tile * Block::Tile::kRows;
    m.sync();
    block.load(2, key_rows<T>(p, head, p.k, p.k_strides, false), key_first);
    block.load(3, key_rows<T>(p, head, p.v, p.v_strides, false), key_first);
    m.sync();
    typename Block::Row scores, grads;
    block.multiply(0, 2, scores);
    block.multiply(1, 3, grads);
    scalar_score_grads(block, rule, a, true, first, key_first, scores, grads, true);
    block.store_weights(0, grads);
    m.sync_warp();
    block.accumulate(0, 2, grad_q);
  }
  const int i = first + block.row();
  const auto& s = a.backward.grad_q_strides;
  if (i < head.lq)
    block.write(grad_q, p.scale, static_cast<T*>(a.backward.grad_q) + head.query_offset(s) + i * s.row);
}

template <int Dim, typename T, typename Machine>
GEN_DEVICE void scalar_key_grads(Machine& m, const GradArguments& a) {
  using Block = ScalarBlock<Dim, Machine>;
  const Problem& p = a.problem;
  const Order::Work work = a.order(m.block());
  const int group = static_cast<int>(p.heads / p.kv_heads);
  Head head = head_of(p, work.batch, work.head * group);
  const int first = work.tile * Block::Tile::kRows;
  if (first >= head.lk) return;
  const int last = first + Block::Tile::kRows < head.lk ? first + Block::Tile::kRows : head.lk;
  const Range rows = head.band.rows({first, last}, head.lq);
  Block block{m, static_cast<int>(p.dim)};
  typename Block::Result grad_k, grad_v;
  clear_row(grad_k);
  clear_row(grad_v);
  block.load(0, key_rows<T>(p, head, p.k, p.k_strides, false), first);
  block.load(1, key_rows<T>(p, head, p.v, p.v_strides, false), first);
  for (int g = 0; g < group; ++g) {
    head.head = work.head * group + g;
    const General rule{p, head};
    for (int query_first = static_cast<int>(rows.begin); query_first < rows.end;
         query_first += Block::Tile::kRows) {
      m.sync();
      block.load(2, query_rows<T>(p, head, p.q, p.q_strides, false), query_first);
      block.load(3, grad_rows<T>(a, head), query_first);
      m.sync();
      typename Block::Row scores, grads;
      block.multiply(0, 2, scores);
      block.multiply(1, 3, grads);
      scalar_score_grads(block, rule, a, false, first, query_first, scores, grads, true);
      block.store_weights(0, scores);
      block.store_weights(1, grads);
      m.sync_warp();
      block.accumulate(0, 3, grad_v);
      block.accumulate(1, 2, grad_k);
    }
  }
  const int j = first + block.row();
  if (j >= head.lk) return;
  const auto& b = a.backward;
  block.write(grad_k, p.scale,
              static_cast<T*>(b.grad_k) + head.key_offset(b.grad_k_strides) + j * b.grad_k_strides.row);
  block.write(grad_v, 1,
              static_cast<T*>(b.grad_v) + head.key_offset(b.grad_v_strides) + j * b.grad_v_strides.row);
}

/// Tiles of the bias' own shape [B or 1, H or 1, Lq or 1, Lk or 1]; a block sums what its tile is broadcast over, in order.
struct BiasOrder {
  int rows = 1, columns = 1, heads = 1;  // tiles of rows and columns; heads of the bias
  struct Work {
    int column, row, head, batch;
  };
  GEN_HOST_DEVICE Work operator()(int64_t block) const {
    const int64_t row = block / columns, head = row / rows;
    return {static_cast<int>(block % columns), static_cast<int>(row % rows), static_cast<int>(head % heads),
            static_cast<int>(head / heads)};
  }
};
struct BiasGradArguments {
  GradArguments grads;
  BiasOrder order;
};

/// Sums a tile over its rows, its columns or both, where the bias has one, and writes it.
template <int Dim, typename Machine>
GEN_DEVICE void write_bias_grad(Machine& m, const ScalarBlock<Dim, Machine>& block,
                                const BackwardArguments& b, const BiasOrder::Work& work, int lq, int lk) {
  constexpr int kRows = ScalarTile<Dim>::kRows;
  const int64_t* sizes = b.grad_bias_sizes;
  const bool sum_rows = sizes[2] == 1, sum_columns = sizes[3] == 1;
  for (int index = m.thread(); index < kRows * kRows; index += ScalarTile<Dim>::kThreads) {
    const int r = index / kRows, c = index % kRows;
    const int i = sum_rows ? 0 : work.row * kRows + r, j = sum_columns ? 0 : work.column * kRows + c;
    if ((sum_rows && r > 0) || (sum_columns && c > 0) || (!sum_rows && i >= lq) || (!sum_columns && j >= lk))
      continue;
    float sum = 0;
    for (int y = r; y < (sum_rows ? kRows : r + 1); ++y)
      for (int x = c; x < (sum_columns ? kRows : c + 1); ++x) sum += m.load_float(block.weight_at(0, y, x));
    b.grad_bias[((work.batch * sizes[1] + work.head) * sizes[2] + i) * sizes[3] + j] = sum;
  }
}

template <int Dim, typename T, typename Machine>
GEN_DEVICE void bias_grads(Machine& m, const BiasGradArguments& arguments) {
  using Block = ScalarBlock<Dim, Machine>;
  constexpr int kRows = Block::Tile::kRows;
  const GradArguments& a = arguments.grads;
  const Problem& p = a.problem;
  const BiasOrder::Work work = arguments.order(m.block());
  const int64_t* sizes = a.backward.grad_bias_sizes;
  const int batch_begin = sizes[0] == 1 ? 0 : work.batch,
            batch_end = sizes[0] == 1 ? static_cast<int>(p.batch) : work.batch + 1;
  const int head_begin = sizes[1] == 1 ? 0 : work.head,
            head_end = sizes[1] == 1 ? static_cast<int>(p.heads) : work.head + 1;
  Block block{m, static_cast<int>(p.dim)};
  typename Block::Row sum;
  clear_row(sum);
  for (int batch = batch_begin; batch < batch_end; ++batch)
    for (int h = head_begin; h < head_end; ++h) {
      const Head head = head_of(p, batch, h);
      const General rule{p, head};
      const int row_begin = sizes[2] == 1 ? 0 : work.row * kRows,
                row_end = sizes[2] == 1 ? head.lq : row_begin + 1;
      const int key_begin = sizes[3] == 1 ? 0 : work.column * kRows,
                key_end = sizes[3] == 1 ? head.lk : key_begin + 1;
      for (int first = row_begin; first < row_end; first += kRows)
        for (int key_first = key_begin; key_first < key_end; key_first += kRows) {
          m.sync();
          block.load(0, query_rows<T>(p, head, p.q, p.q_strides, false), first);
          block.load(1, grad_rows<T>(a, head), first);
          block.load(2, key_rows<T>(p, head, p.k, p.k_strides, false), key_first);
          block.load(3, key_rows<T>(p, head, p.v, p.v_strides, false), key_first);
          m.sync();
          typename Block::Row scores, grads;
          block.multiply(0, 2, scores);
          block.multiply(1, 3, grads);
          scalar_score_grads(block, rule, a, true, first, key_first, scores, grads, false);
#pragma unroll
          for (int c = 0; c < Block::Tile::kScores; ++c) sum[c] += grads[c];
        }
    }
  block.store_weights(0, sum);
  m.sync();
  write_bias_grad(m, block, a.backward, work, static_cast<int>(p.lq), static_cast<int>(p.lk));
}

}  // namespace gen::flash
