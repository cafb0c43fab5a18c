#include "gen/ops/ema_update.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "gen/core/device.h"
#include "gen/core/error.h"
#include "support/support.h"

namespace gen {
namespace {

TEST(EmaUpdate, IsTheClosedFormAfterManySteps) {
  auto average = torch::full({3, 5}, 2.0), value = torch::full({3, 5}, -1.0);
  for (int step = 0; step < 50; ++step) ops::ema_update_({average}, {value}, 0.1);
  const double expected = -1.0 + 3.0 * std::pow(0.9, 50);
  EXPECT_LT(test::max_abs_diff(average, torch::full({3, 5}, expected)), 1e-5);
}

TEST(EmaUpdate, UpdatesManyTensorsOfManyShapes) {
  std::vector<at::Tensor> averages, values, expected;
  for (int64_t i = 0; i < 100; ++i) {
    averages.push_back(torch::randn({i % 7, 3}));
    values.push_back(torch::randn({i % 7, 3}));
    expected.push_back(averages.back() * 0.75 + values.back() * 0.25);
  }
  ops::ema_update_(averages, values, 0.25);
  for (size_t i = 0; i < averages.size(); ++i) EXPECT_LT(test::max_abs_diff(averages[i], expected[i]), 1e-6);
}

TEST(EmaUpdate, NamesBothShapesOnAMismatch) {
  try {
    ops::ema_update_({torch::zeros({2, 3})}, {torch::zeros({3, 2})}, 0.5);
    FAIL() << "no error";
  } catch (const ShapeError& e) {
    EXPECT_STREQ(e.what(), "ema_update_: average 0 is [2, 3] but its value is [3, 2]");
  }
}

// The loading path: the library lies beside libgen.so and exports the launcher; whether a GPU is there does
// not matter.
TEST(CudaLibrary, ExportsTheLauncherWhereItWasBuilt) {
  if (!std::filesystem::exists(test::gen_binary().parent_path().parent_path() / "lib" / "libgen_cuda.so"))
    GTEST_SKIP() << "needs libgen_cuda.so, which is built only where nvcc is there";
  std::string why;
  EXPECT_NE(cuda_symbol(ops::kEmaUpdateSymbol, &why), nullptr) << why;
  EXPECT_EQ(cuda_symbol("gen_cuda_no_such_kernel", &why), nullptr);
  EXPECT_NE(why.find("gen_cuda_no_such_kernel"), std::string::npos);
}

TEST(ResolveDevice, SaysWhatIsMissing) {
  EXPECT_TRUE(resolve_device("cpu").is_cpu());
  EXPECT_THROW(resolve_device("gpu"), ConfigError);
  if (resolve_device("auto").is_cuda()) GTEST_SKIP() << "needs a machine without a GPU";
  try {
    resolve_device("cuda");
    FAIL() << "no error";
  } catch (const ConfigError& e) {
    EXPECT_NE(std::string(e.what()).find("no NVIDIA driver"), std::string::npos) << e.what();
  }
}

}  // namespace
}  // namespace gen
