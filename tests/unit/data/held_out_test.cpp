#include "data/held_out.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "gen/core/error.h"
#include "gen/data/loader.h"
#include "unit/models/vae_case.h"

namespace gen {
namespace {

constexpr int64_t kSortedRows = 1000, kSortedClasses = 10;

/// How many of `rows` belong to each class of data that are sorted by class.
std::vector<int64_t> counts_of_sorted_classes(const std::vector<int64_t>& rows) {
  std::vector<int64_t> counts(kSortedClasses);
  for (const int64_t row : rows) ++counts[static_cast<size_t>(row * kSortedClasses / kSortedRows)];
  return counts;
}

TEST(HeldOut, SplitsShareAllRowsAmongThem) {
  std::vector<int64_t> all;
  for (const Split split : {Split::train, Split::validation, Split::test}) {
    const auto rows = held_out_rows(split, kSortedRows, 200, 100, "data");
    EXPECT_TRUE(std::is_sorted(rows.begin(), rows.end()));
    EXPECT_EQ(rows.size(), split == Split::train ? 700U : split == Split::validation ? 200U : 100U);
    all.insert(all.end(), rows.begin(), rows.end());
  }
  std::sort(all.begin(), all.end());
  EXPECT_EQ(all, all_rows(kSortedRows));
}

TEST(HeldOut, EveryClassOfSortedDataIsHeldOut) {
  for (const int64_t count :
       counts_of_sorted_classes(held_out_rows(Split::validation, kSortedRows, 200, 0, "data")))
    EXPECT_NEAR(static_cast<double>(count), 20, 18);  // 4 standard deviations
}

TEST(HeldOut, MoreKeepsThoseThatAreHeldOutAlready) {
  const auto some = held_out_rows(Split::validation, kSortedRows, 100, 0, "data");
  const auto more = held_out_rows(Split::validation, kSortedRows, 200, 0, "data");
  EXPECT_TRUE(std::includes(more.begin(), more.end(), some.begin(), some.end()));
}

TEST(HeldOut, NeverLeavesNothingToTrainOn) {
  EXPECT_THROW(held_out_rows(Split::train, kSortedRows, 900, 100, "data"), ConfigError);
}

struct SortedRows final : Dataset {
  explicit SortedRows(Split split) : split_(split), spec_(vae::point_spec(1)) {}
  const DataSpec& spec() const override { return spec_; }
  Split split() const override { return split_; }
  int64_t size() const override { return kSortedRows; }
  Example get(int64_t, HostRng*) const override { return {}; }
  Split split_;
  DataSpec spec_;
};

TEST(EvaluationIndices, AreARandomChoiceOfSortedData) {
  const auto chosen = evaluation_indices(SortedRows(Split::test), 200);
  EXPECT_EQ(std::set<int64_t>(chosen.begin(), chosen.end()).size(), 200U);
  for (const int64_t count : counts_of_sorted_classes(chosen))
    EXPECT_NEAR(static_cast<double>(count), 20, 18);
  EXPECT_NE(evaluation_indices(SortedRows(Split::validation), 200), chosen);
}

TEST(EvaluationIndices, OfMoreBeginWithThoseOfFewer) {
  const auto some = evaluation_indices(SortedRows(Split::test), 50),
             more = evaluation_indices(SortedRows(Split::test), 200);
  EXPECT_TRUE(std::equal(some.begin(), some.end(), more.begin()));
}

TEST(EvaluationIndices, AreAllInTheirOrderWithoutALimit) {
  for (const int64_t limit : {int64_t{0}, kSortedRows, 2 * kSortedRows})
    EXPECT_EQ(evaluation_indices(SortedRows(Split::test), limit), all_rows(kSortedRows));
}

}  // namespace
}  // namespace gen
