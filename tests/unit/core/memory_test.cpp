#include "gen/core/memory.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

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
