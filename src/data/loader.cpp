#include "gen/data/loader.h"

#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <numeric>
#include <optional>
#include <system_error>
#include <thread>

#include "data/collate.h"
#include "data/random_order.h"
#include "gen/core/check.h"
#include "gen/core/error.h"
#include "gen/core/log.h"

namespace gen {

struct Loader::State {
  /// A batch that is being made, or is ready, or what its making threw.
  struct Slot {
    std::optional<Batch> batch;
    std::exception_ptr error;
    bool ready() const { return batch.has_value() || error; }
  };

  std::shared_ptr<const Dataset> dataset;
  LoaderOptions options;
  std::vector<Slot> ring;  ///< batch p is in slot p % prefetch
  int64_t position = 0;    ///< the next batch handed out
  int64_t claimed = 0;     ///< the next batch that a worker takes on
  std::atomic<bool> stopping{false};
  std::mutex mutex;
  std::condition_variable room, ready;
  std::vector<std::thread> threads;

  int64_t batches_per_epoch() const {
    const int64_t n = dataset->size(), b = options.batch_size;
    return options.drop_last ? std::max<int64_t>(1, n / b) : (n + b - 1) / b;
  }

  std::vector<int64_t> indices_of(int64_t batch) const {
    const int64_t n = dataset->size(), b = options.batch_size;
    const int64_t epoch = batch / batches_per_epoch(), first = batch % batches_per_epoch() * b;
    const int64_t last = options.drop_last ? first + b : std::min(n, first + b);
    std::vector<int64_t> indices;
    indices.reserve(static_cast<size_t>(b));
    for (int64_t i = first; i < last; ++i)
      indices.push_back(options.shuffle ? shuffled_index(options.seed, epoch, n, i % n) : i % n);
    return indices;
  }

  Batch make(int64_t batch) const {
    const auto augmentation_of = [&](int64_t row) {
      const auto visit = static_cast<uint64_t>(batch * options.batch_size + row);
      return HostRng(derive_seed(options.seed, Stream::augmentation, visit));
    };
    return collate(*dataset, indices_of(batch), augmentation_of, InPlace::next,
                   [this] { return stopping.load(); });
  }

  Slot& slot(int64_t batch) { return ring[static_cast<size_t>(batch) % ring.size()]; }

  void work() {
    for (;;) {
      int64_t batch = 0;
      {
        std::unique_lock lock(mutex);
        room.wait(lock, [&] { return stopping || claimed < position + static_cast<int64_t>(ring.size()); });
        if (stopping) return;
        batch = claimed++;
      }
      Slot made;
      try {
        made.batch = make(batch);
      } catch (...) {
        made.error = std::current_exception();
      }
      {
        const std::lock_guard lock(mutex);
        slot(batch) = std::move(made);
      }
      ready.notify_all();
    }
  }

  Batch take() {
    if (threads.empty()) {
      Batch batch = make(position);
      ++position;
      return batch;
    }
    std::unique_lock lock(mutex);
    Slot& next = slot(position);
    ready.wait(lock, [&] { return next.ready(); });
    if (next.error) std::rethrow_exception(next.error);
    Batch batch = std::move(*next.batch);
    next = {};
    ++position;
    lock.unlock();
    room.notify_one();
    return batch;
  }

  void stop() {
    {
      const std::lock_guard lock(mutex);
      stopping = true;
    }
    room.notify_all();
    for (auto& thread : threads) thread.join();
    threads.clear();
  }
};

Loader::Loader(std::shared_ptr<const Dataset> dataset, const LoaderOptions& options, int64_t position)
    : state_(std::make_unique<State>()) {
  GEN_CHECK(dataset != nullptr, "a loader needs a data set");
  GEN_CHECK(options.batch_size > 0 && options.workers >= 0 && options.prefetch > 0 && position >= 0,
            "batch_size {}, workers {}, prefetch {}, position {}", options.batch_size, options.workers,
            options.prefetch, position);
  if (dataset->size() < 1)
    throw DataError(
        "this split of the data has no examples: hold some out by the data set's options, or use another");
  state_->dataset = std::move(dataset);
  state_->options = options;
  state_->position = state_->claimed = position;
  state_->ring.resize(static_cast<size_t>(options.prefetch));
  try {
    for (int64_t i = 0; i < options.workers; ++i) state_->threads.emplace_back([this] { state_->work(); });
  } catch (const std::system_error&) {  // a limit on threads: any number of workers gives the same batches
    log::warning("{} of {} data workers started: the system gives no more threads", state_->threads.size(),
                 options.workers);
  } catch (...) {  // those started must not outlive the state
    state_->stop();
    throw;
  }
}

Loader::~Loader() { state_->stop(); }

Batch Loader::next() { return state_->take(); }

int64_t Loader::position() const { return state_->position; }

int64_t Loader::batches_per_epoch() const { return state_->batches_per_epoch(); }

Batch read_batch(const Dataset& dataset, const std::vector<int64_t>& indices, InPlace in_place) {
  return collate(dataset, indices, /*augmentation_of=*/{}, in_place);
}

Batch read_batch(const Dataset& dataset, int64_t first, int64_t count, InPlace in_place) {
  GEN_CHECK(first >= 0 && count >= 0 && first + count <= dataset.size(), "examples [{}, {}) of {}", first,
            first + count, dataset.size());
  std::vector<int64_t> indices(static_cast<size_t>(count));
  std::iota(indices.begin(), indices.end(), first);
  return read_batch(dataset, indices, in_place);
}

int64_t shuffled_index(uint64_t seed, int64_t epoch, int64_t n, int64_t i) {
  return random_order(derive_seed(seed, Stream::shuffle, static_cast<uint64_t>(epoch)), n, i);
}

}  // namespace gen
