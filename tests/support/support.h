// What tests share: folders, the gen binary, comparisons with tolerances by dtype.
#pragma once

#include <ATen/core/Tensor.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

namespace gen::test {

/// A folder of its own, removed at the end.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

std::filesystem::path source_dir();
/// Real data and reference models outside the repository: $GEN_SHARED_DIR, or ../shared beside the source tree.
/// Empty where absent: use GEN_SHARED_OR_SKIP.
std::filesystem::path shared_dir();
std::filesystem::path gen_binary();

struct CommandResult {
  int exit_code = -1;  ///< 128 + signal when killed
  std::string out, err;
};
/// Runs a program without a shell and collects what it prints. `env` adds NAME=value.
CommandResult run_command(const std::vector<std::string>& argv, const std::vector<std::string>& env = {});

/// Largest |a - b|; infinity where shapes differ or either is not finite.
double max_abs_diff(const at::Tensor& a, const at::Tensor& b);
/// |a - b| / |b| in Frobenius norms, in float64; infinity where shapes differ or a is not finite.
double relative_error(const at::Tensor& a, const at::Tensor& b);
/// rtol = atol for a dtype: float64 1e-9, float32 1e-5, bfloat16 2e-2, float16 2e-3.
double tolerance(at::ScalarType dtype);

std::string read_text(const std::filesystem::path& path);
void write_text(const std::filesystem::path& path, const std::string& text);

}  // namespace gen::test

/// auto folder = GEN_SHARED_OR_SKIP("data/mnist");
#define GEN_SHARED_OR_SKIP(relative)                                    \
  ::gen::test::shared_dir() / (relative);                               \
  if (!std::filesystem::exists(::gen::test::shared_dir() / (relative))) \
  GTEST_SKIP() << "needs " << (relative) << " under $GEN_SHARED_DIR or ../shared, which is absent"
