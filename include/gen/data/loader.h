// From a data set to batches: worker threads, bounded prefetch, an order that is a function of (seed, epoch) alone.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "gen/data/dataset.h"

namespace gen {

struct LoaderOptions {
  int64_t batch_size = 64;
  bool shuffle = true;
  bool drop_last = true;  ///< of an epoch; a split smaller than a batch then wraps around
  int64_t workers = 1;    ///< threads; the order does not depend on it; 0: next() makes the batch itself
  int64_t prefetch = 4;   ///< batches made ahead, at most
  uint64_t seed = 0;
};

/// Training batches, augmented anew at each visit of an example. Endless: batch number `position` is a pure function of (data set, options, position), so resuming at any step is
/// O(1) and needs no state.
class Loader {
 public:
  /// Throws DataError where the split has no examples.
  Loader(std::shared_ptr<const Dataset> dataset, const LoaderOptions& options, int64_t position = 0);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;
  /// The batch at position() and one step on. Rethrows what a worker threw, again at each call.
  Batch next();
  int64_t position() const;
  int64_t batches_per_epoch() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// What becomes of a row whose example is passed over (data.on_error "skip"): the next that can be read takes its
/// place, or nothing does and the batch is smaller.
enum class InPlace { next, nothing };

/// The examples at `indices`, in that order, not augmented: equal at every call.
Batch read_batch(const Dataset& dataset, const std::vector<int64_t>& indices,
                 InPlace in_place = InPlace::nothing);
/// The examples [first, first + count).
Batch read_batch(const Dataset& dataset, int64_t first, int64_t count, InPlace in_place = InPlace::nothing);

/// Reads every example once, on all threads, and returns those that cannot be read, in order, whatever data.on_error
/// says. `progress` is told how many are done, and those found since it was told last.
std::vector<BadExample> find_bad_examples(
    const Dataset& dataset, const std::function<void(int64_t, std::span<const BadExample>)>& progress);

/// What is scored of a split where `limit` examples are asked for (0: all): all in their order, or, as data are often
/// ordered, a fixed random choice. It is the same for every seed; a larger limit's begins with a smaller one's.
std::vector<int64_t> evaluation_indices(const Dataset& dataset, int64_t limit);

/// Position `i` of the `epoch`-th shuffle of 0..n-1, each order equally likely; O(1) in memory.
int64_t shuffled_index(uint64_t seed, int64_t epoch, int64_t n, int64_t i);

}  // namespace gen
