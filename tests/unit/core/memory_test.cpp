#include "gen/core/memory.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "core/memory_watch.h"
#include "gen/core/shapes_only.h"

namespace gen {
namespace {

TEST(FreeMemory, IsWhatTheMachineHasAtMost) {
  const FreeMemory free = free_memory();
  EXPECT_GT(free.bytes, int64_t{1} << 20);
  EXPECT_FALSE(free.bound.empty());
}

TEST(RequireMemory, SaysWhatIsNeededAndWhatIsFree) {
  require_memory(1, "a byte");
  try {
    require_memory(int64_t{1} << 60, "the moon");
    FAIL();
  } catch (const OutOfMemoryError& error) {
    const std::string what = error.what();
    EXPECT_TRUE(what.starts_with("the moon needs 1024.0 PiB, and ")) << what;
  }
}

// A container of 1 GiB that tensors fill; nothing but they takes memory.
struct SmallContainer {
  int64_t taken = 0, kept = 0;
  int times_asked = 0;
  MemoryWatch watch{[this] {
                      ++times_asked;
                      return FreeMemory{(int64_t{1} << 30) - taken, "the container's limit"};
                    },
                    [this] { return kept; }};
  void take(int64_t bytes) {
    watch.before(static_cast<size_t>(bytes));
    taken += bytes;
  }
};

TEST(MemoryWatch, ManySmallTensorsAreRefusedBeforeTheLimitEndsTheProcess) {
  for (const int64_t bytes : {int64_t{64}, int64_t{4} << 10, int64_t{1} << 20, int64_t{100} << 20}) {
    SmallContainer container;
    try {
      while (true) container.take(bytes);
    } catch (const TensorTooLarge& error) {
      EXPECT_NE(std::string(error.what()).find("the container's limit"), std::string::npos) << error.what();
    }
    EXPECT_LE(container.taken, int64_t{1} << 30) << bytes;
    EXPECT_GE(container.taken + bytes + MemoryWatch::kReserve, int64_t{1} << 30)
        << "refused too early, at " << bytes;
    EXPECT_LT(container.times_asked, 200) << bytes;
  }
}

TEST(MemoryWatch, WhatTheHeapKeepsIsFreeToSmallTensorsAlone) {
  SmallContainer container;
  container.taken = (int64_t{1} << 30) - (int64_t{1} << 20);
  container.kept = int64_t{512} << 20;
  container.watch.before(size_t{1} << 20);
  EXPECT_THROW(container.watch.before(size_t{300} << 20), TensorTooLarge);
  container.kept = 0;
  EXPECT_THROW(for (int i = 0; i < 1000; ++i) container.watch.before(size_t{1} << 20), TensorTooLarge);
}

TEST(WithShapesOnly, LargeTensorsTakeNoMemoryAndSmallOnesAreReal) {
  with_shapes_only([] {
    const auto huge = at::empty({1 << 20, 1 << 20}).uniform_();  // 4 TiB
    EXPECT_TRUE(huge.is_meta());
    EXPECT_EQ(huge.nbytes(), size_t{1} << 42);
    EXPECT_TRUE(at::zeros_like(huge).is_meta());
    EXPECT_TRUE(at::zeros({1 << 20, 1 << 20}).is_meta());
    EXPECT_EQ(at::full({2}, 3.0).sum().item<double>(), 6);
  });
  EXPECT_FALSE(at::empty({1 << 22}).is_meta()) << "the world is as before";
}

}  // namespace
}  // namespace gen
