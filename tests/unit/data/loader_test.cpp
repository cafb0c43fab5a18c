#include "gen/data/loader.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <map>
#include <set>
#include <thread>

#include "data/collate.h"
#include "gen/core/error.h"
#include "support/support.h"

namespace gen {
namespace {

/// Points [index, random draw of the augmentation, or -1 without]; fails at one index, and may be slow.
class Numbers final : public Dataset {
 public:
  explicit Numbers(int64_t size) : size_(size) {
    spec_.kind = DataKind::points;
    spec_.shape = {2};
    spec_.levels = 0;
  }
  const DataSpec& spec() const override { return spec_; }
  Split split() const override { return Split::train; }
  int64_t size() const override { return size_; }
  Example get(int64_t index, HostRng* augmentation) const override {
    ++reads;
    if (index == bad) throw DataError("numbers.bin: record 7 is damaged");
    if (delay.count() > 0) std::this_thread::sleep_for(delay);
    const auto first = index == not_finite ? std::nanf("") : static_cast<float>(index);
    return {at::tensor({first, augmentation ? static_cast<float>(augmentation->uniform()) : -1.0F}), -1, ""};
  }
  int64_t bad = -1, not_finite = -1;
  std::chrono::microseconds delay{0};
  mutable std::atomic<int64_t> reads{0};

 private:
  int64_t size_;
  DataSpec spec_;
};

std::vector<Batch> batches(std::shared_ptr<const Dataset> data, LoaderOptions options, int64_t from,
                           int64_t count) {
  Loader loader(std::move(data), options, from);
  std::vector<Batch> result;
  for (int64_t i = 0; i < count; ++i) result.push_back(loader.next());
  return result;
}

TEST(ShuffledIndex, IsAPermutationOfAnySize) {
  for (const int64_t n : {1, 2, 3, 5, 16, 17, 100, 1023, 4097}) {
    std::set<int64_t> seen;
    for (int64_t i = 0; i < n; ++i) seen.insert(shuffled_index(3, 1, n, i));
    EXPECT_EQ(static_cast<int64_t>(seen.size()), n);
    EXPECT_EQ(*seen.begin(), 0);
    EXPECT_EQ(*seen.rbegin(), n - 1);
  }
}

/// How many standard deviations Pearson's chi-square of `counts`, equally likely, lies above its mean.
double excess_of_chi_square(const std::vector<int>& counts) {
  const auto cells = static_cast<double>(counts.size());
  double total = 0, sum = 0;
  for (const int count : counts) total += count;
  for (const int count : counts) sum += (count - total / cells) * (count - total / cells) / (total / cells);
  return (sum - (cells - 1)) / std::sqrt(2 * (cells - 1));
}

TEST(ShuffledIndex, EveryPermutationOfAFewIsEquallyLikely) {
  int factorial = 1;
  for (const int64_t n : {2, 3, 4, 5}) {
    factorial *= static_cast<int>(n);
    std::map<std::vector<int64_t>, int> seen;
    for (int64_t epoch = 0; epoch < 200 * factorial; ++epoch) {
      std::vector<int64_t> order;
      for (int64_t i = 0; i < n; ++i) order.push_back(shuffled_index(9, epoch, n, i));
      ++seen[order];
    }
    std::vector<int> counts;
    for (const auto& [order, count] : seen) counts.push_back(count);
    EXPECT_EQ(static_cast<int>(counts.size()), factorial);
    EXPECT_LT(excess_of_chi_square(counts), 4) << n;
  }
}

TEST(ShuffledIndex, SendsEveryPairOfPositionsEverywhereEquallyOften) {
  for (const int64_t n : {6, 7, 8, 9, 10, 16, 64, 65, 100}) {
    const int64_t pairs = n * (n - 1);
    std::vector<int> counts(static_cast<size_t>(pairs));
    for (int64_t epoch = 0; epoch < 20 * pairs; ++epoch) {
      const int64_t a = shuffled_index(9, epoch, n, n / 2), b = shuffled_index(9, epoch, n, n - 1);
      ++counts[static_cast<size_t>(a * (n - 1) + (b > a ? b - 1 : b))];
    }
    EXPECT_LT(std::abs(excess_of_chi_square(counts)), 4) << n;
  }
}

TEST(ShuffledIndex, DiffersBetweenSeedsAndEpochsAndLeavesFewNeighboursTogether) {
  constexpr int64_t kSize = 10000;
  int64_t same_epoch = 0, same_seed = 0, neighbours = 0;
  for (int64_t i = 0; i + 1 < kSize; ++i) {
    const int64_t here = shuffled_index(1, 0, kSize, i);
    same_epoch += here == shuffled_index(1, 1, kSize, i);
    same_seed += here == shuffled_index(2, 0, kSize, i);
    neighbours += std::abs(here - shuffled_index(1, 0, kSize, i + 1)) == 1;
  }
  EXPECT_LT(same_epoch, 10);  // about one each is expected
  EXPECT_LT(same_seed, 10);
  EXPECT_LT(neighbours, 15);
}

TEST(Loader, EveryEpochVisitsEveryExampleOnce) {
  const auto data = std::make_shared<Numbers>(24);
  const auto all = batches(data, {.batch_size = 8, .workers = 2}, 0, 6);
  for (const int64_t epoch : {0, 1}) {
    std::set<int64_t> seen;
    for (int64_t i = 0; i < 3; ++i)
      for (const int64_t index : all[static_cast<size_t>(3 * epoch + i)].indices) seen.insert(index);
    EXPECT_EQ(seen.size(), 24U);
  }
  EXPECT_NE(all[0].indices, all[3].indices);
}

TEST(Loader, BatchesDoNotDependOnWorkersPrefetchOrStart) {
  const auto data = std::make_shared<Numbers>(29);
  const auto expected = batches(data, {.batch_size = 4, .workers = 0}, 0, 20);
  for (const int64_t workers : {0, 1, 3})
    for (const int64_t start : {0, 7, 13}) {
      const auto got =
          batches(data, {.batch_size = 4, .workers = workers, .prefetch = workers + 1}, start, 20 - start);
      for (size_t i = 0; i < got.size(); ++i) {
        EXPECT_TRUE(torch::equal(got[i].x, expected[i + static_cast<size_t>(start)].x));
        EXPECT_EQ(got[i].indices, expected[i + static_cast<size_t>(start)].indices);
      }
    }
}

TEST(Loader, KeepsOrDropsTheLastOfAnEpochAndWrapsASmallSplit) {
  const auto data = std::make_shared<Numbers>(10);
  Loader keep(data, {.batch_size = 4, .shuffle = false, .drop_last = false});
  EXPECT_EQ(keep.batches_per_epoch(), 3);
  keep.next();
  keep.next();
  EXPECT_EQ(keep.next().indices, (std::vector<int64_t>{8, 9}));
  EXPECT_EQ(keep.next().indices, (std::vector<int64_t>{0, 1, 2, 3}));
  Loader drop(data, {.batch_size = 4, .shuffle = false});
  EXPECT_EQ(drop.batches_per_epoch(), 2);
  Loader small(std::make_shared<Numbers>(3), {.batch_size = 5, .shuffle = false});
  EXPECT_EQ(small.next().indices, (std::vector<int64_t>{0, 1, 2, 0, 1}));
}

TEST(Loader, AugmentsAnewAtEachVisitButNotForEvaluation) {
  const auto data = std::make_shared<Numbers>(4);
  const auto two = batches(data, {.batch_size = 4, .shuffle = false}, 0, 2);
  EXPECT_FALSE(torch::equal(two[0].x, two[1].x));
  const auto read = read_batch(*data, {3, 1, 3});
  EXPECT_EQ(read.indices, (std::vector<int64_t>{3, 1, 3}));
  EXPECT_TRUE(torch::equal(read.x, torch::tensor({{3.0F, -1.0F}, {1.0F, -1.0F}, {3.0F, -1.0F}})));
  EXPECT_TRUE(torch::equal(read_batch(*data, 1, 2).x, read_batch(*data, 0, 4).x.slice(0, 1, 3)));
}

TEST(Loader, RethrowsWhatAWorkerThrewAtItsBatch) {
  const auto data = std::make_shared<Numbers>(12);
  data->bad = 5;
  for (const int64_t workers : {0, 2}) {
    Loader loader(data, {.batch_size = 4, .shuffle = false, .workers = workers});
    EXPECT_EQ(loader.next().size(), 4);
    EXPECT_THROW(loader.next(), DataError);
    EXPECT_THROW(loader.next(), DataError);
    EXPECT_EQ(loader.position(), 1);
  }
}

TEST(Loader, RefusesNotANumberAndAnEmptySplit) {
  const auto data = std::make_shared<Numbers>(4);
  data->not_finite = 2;
  try {
    read_batch(*data, 0, 4);
    FAIL() << "a NaN went through";
  } catch (const DataError& error) {
    EXPECT_NE(std::string(error.what()).find("example 2 of the data: value 0 is nan"), std::string::npos);
  }
  EXPECT_THROW(Loader(std::make_shared<Numbers>(0), {}), DataError);
}

TEST(Loader, PrefetchIsBoundedAndShutdownIsPrompt) {
  const auto data = std::make_shared<Numbers>(1000);
  {
    Loader loader(data, {.batch_size = 10, .workers = 2, .prefetch = 3});
    loader.next();
    for (int wait = 0; wait < 200 && data->reads < 40; ++wait) std::this_thread::yield();
  }
  EXPECT_LE(data->reads, 10 * (1 + 3 + 1));  // the batch taken, three ahead, and the place it left
  // Leaving does not wait for the batch at hand to be read to its end.
  constexpr int64_t kBatch = 100000;
  const auto slow = std::make_shared<Numbers>(kBatch);
  slow->delay = std::chrono::milliseconds(1);
  {
    const Loader loader(slow, {.batch_size = kBatch, .workers = 2});
    while (slow->reads == 0) std::this_thread::yield();
  }
  EXPECT_LT(slow->reads, kBatch);
}

TEST(BytesToUnitFloats, DividesBy255) {
  std::vector<uint8_t> bytes(256);
  std::vector<float> floats(256);
  for (int i = 0; i < 256; ++i) bytes[static_cast<size_t>(i)] = static_cast<uint8_t>(i);
  bytes_to_unit_floats(bytes.data(), floats.data(), 256);
  const auto expected = torch::arange(256, torch::kFloat) / 255;
  EXPECT_TRUE(torch::equal(torch::tensor(floats), expected));
}

}  // namespace
}  // namespace gen
