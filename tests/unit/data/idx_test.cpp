#include "data/mnist/idx.h"

#include <gtest/gtest.h>

#include "gen/core/error.h"
#include "gen/core/rng.h"
#include "support/data_files.h"
#include "support/support.h"

namespace gen {
namespace {

using test::gzip;
using test::idx_bytes;

std::string images() {
  std::string pixels;
  for (int i = 0; i < 2 * 3 * 4; ++i) pixels += static_cast<char>(11 * i);
  return idx_bytes({2, 3, 4}, pixels);
}

std::string idx_error_of(const std::string& bytes, size_t rank = 3) {
  try {
    parse_idx(bytes, "digits", rank);
  } catch (const DataError& error) {
    return error.what();
  }
  return "";
}

TEST(Idx, ReadsPlainAndGzipAlike) {
  for (const auto& bytes : {images(), gzip(images())}) {
    const IdxArray array = parse_idx(bytes, "digits", 3);
    EXPECT_EQ(array.dims, (std::vector<int64_t>{2, 3, 4}));
    ASSERT_EQ(array.values.size(), 24U);
    EXPECT_EQ(array.values[23], 253);
  }
}

// What pigz, bgzip and `cat a.gz b.gz` leave, and tapes that pad a file with zeros.
TEST(Idx, ReadsGzipOfSeveralMembersAndPaddedWithZeros) {
  const std::string whole = images(), zeros(600, '\0');
  const auto values_of = [](const std::string& bytes) { return parse_idx(bytes, "digits", 3).values; };
  const auto expected = values_of(whole);
  for (const size_t cut : {size_t{0}, size_t{5}, whole.size() - 1, whole.size()}) {
    const std::string first = gzip(whole.substr(0, cut)), second = gzip(whole.substr(cut));
    EXPECT_EQ(values_of(first + second), expected) << cut;
    EXPECT_EQ(values_of(first + zeros + second + zeros), expected) << cut;
    EXPECT_FALSE(idx_error_of(first + second.substr(0, second.size() - 3)).empty()) << "a checksum cut short";
  }
  EXPECT_NE(idx_error_of(gzip(whole) + gzip("x")).find("more data follow"), std::string::npos);
  EXPECT_NE(idx_error_of(gzip(whole) + zeros + "tail").find("4 bytes follow the end of the gzip stream"),
            std::string::npos);
}

TEST(Idx, SaysWhatIsWrong) {
  EXPECT_NE(idx_error_of("PNG and more").find("not an IDX file"), std::string::npos);
  EXPECT_NE(idx_error_of("").find("truncated"), std::string::npos);
  EXPECT_NE(idx_error_of(images(), 1).find("expected 1 dimensions (labels), got 3"), std::string::npos);
  std::string floats = images();
  floats[2] = 0x0D;
  EXPECT_NE(idx_error_of(floats).find("0x0d"), std::string::npos);
  EXPECT_NE(idx_error_of(images() + "x").find("1 bytes follow"), std::string::npos);
  EXPECT_NE(idx_error_of(gzip(images() + "x")).find("more data follow"), std::string::npos);
  EXPECT_NE(idx_error_of(gzip(images()) + "tail").find("4 bytes follow the end of the gzip stream"),
            std::string::npos);
  EXPECT_NE(idx_error_of(idx_bytes({0, 3, 4}, "")).find("dimension 0 is 0"), std::string::npos);
}

TEST(Idx, RefusesEveryTruncation) {
  for (const auto& whole : {images(), gzip(images())})
    for (size_t size = 0; size < whole.size(); ++size)
      EXPECT_FALSE(idx_error_of(whole.substr(0, size)).empty())
          << "cut to " << size << " of " << whole.size();
}

TEST(Idx, BelievesNoClaimThatTheFileCannotHold) {
  // 3.9 GB claimed by 40 bytes, and sizes whose product passes 64 bits: refused before anything is allocated.
  EXPECT_NE(idx_error_of(idx_bytes({1000, 1980, 1980}, "short")).find("cannot hold"), std::string::npos);
  EXPECT_NE(idx_error_of(gzip(idx_bytes({1000, 1980, 1980}, "short"))).find("cannot hold"),
            std::string::npos);
  EXPECT_NE(idx_error_of(idx_bytes({0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF}, "")).find("limit"),
            std::string::npos);
}

TEST(Idx, SurvivesAThousandDamagedFiles) {
  HostRng rng(5);
  int refused = 0;
  for (const auto& whole : {images(), gzip(images())})
    for (int round = 0; round < 1000; ++round) {
      std::string bytes = whole;
      bytes[rng.below(bytes.size())] ^= static_cast<char>(1U << rng.below(8));
      if (rng.below(3) == 0) bytes.resize(rng.below(bytes.size() + 1));
      const std::string error = idx_error_of(bytes);
      if (error.empty()) continue;
      ++refused;
      EXPECT_EQ(error.rfind("digits: ", 0), 0U) << error;
    }
  EXPECT_GT(refused,
            1300);  // what passes is a changed pixel of a plain file, or an unused field of gzip's header
}

}  // namespace
}  // namespace gen
