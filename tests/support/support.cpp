#include "support/support.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <sstream>
#include <thread>

#include <ATen/ATen.h>

#include "support/own_words.h"

namespace gen::test {

TempDir::TempDir() {
  std::string pattern = (std::filesystem::temp_directory_path() / "gen-test-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp failed for " + pattern);
  path_ = pattern;
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::filesystem::path source_dir() { return GEN_SOURCE_DIR; }
std::filesystem::path gen_binary() { return GEN_BINARY; }

std::filesystem::path shared_dir() {
  if (const char* given = std::getenv("GEN_SHARED_DIR")) return given;
  return source_dir().parent_path() / "shared";
}

CommandResult run_command(const std::vector<std::string>& argv, const std::vector<std::string>& env) {
  int out[2], err[2];
  if (pipe(out) != 0 || pipe(err) != 0) throw std::runtime_error("pipe failed");
  const pid_t child = fork();
  if (child == 0) {
    const int null = open("/dev/null", O_RDONLY);
    dup2(null, 0), dup2(out[1], 1), dup2(err[1], 2);
    for (int fd : {out[0], out[1], err[0], err[1], null}) close(fd);
    for (const auto& each : env) putenv(const_cast<char*>(each.c_str()));
    std::vector<char*> arguments;
    for (const auto& each : argv) arguments.push_back(const_cast<char*>(each.c_str()));
    arguments.push_back(nullptr);
    execvp(arguments[0], arguments.data());
    _exit(127);
  }
  close(out[1]), close(err[1]);
  CommandResult result;
  const auto drain = [](int fd, std::string& text) {
    char buffer[4096];
    for (ssize_t n; (n = read(fd, buffer, sizeof buffer)) > 0;) text.append(buffer, static_cast<size_t>(n));
    close(fd);
  };
  std::thread errors([&] { drain(err[0], result.err); });
  drain(out[0], result.out);
  errors.join();
  int status = 0;
  waitpid(child, &status, 0);
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  if (std::find(argv.begin(), argv.end(), gen_binary().string()) != argv.end())
    expect_own_words(result.out + result.err);
  return result;
}

double max_abs_diff(const at::Tensor& a, const at::Tensor& b) {
  if (!a.sizes().equals(b.sizes())) return std::numeric_limits<double>::infinity();
  if (a.numel() == 0) return 0;
  const double diff = (a.to(at::kDouble) - b.to(at::kDouble)).abs().max().item<double>();
  return diff == diff ? diff : std::numeric_limits<double>::infinity();
}

double relative_error(const at::Tensor& a, const at::Tensor& b) {
  if (!a.sizes().equals(b.sizes())) return std::numeric_limits<double>::infinity();
  const auto wide = a.to(at::kDouble), expected = b.to(at::kDouble);
  const double error = (wide - expected).norm().item<double>(), size = expected.norm().item<double>();
  if (!std::isfinite(error)) return std::numeric_limits<double>::infinity();
  return size > 0 ? error / size : error;
}

double tolerance(at::ScalarType dtype) {
  switch (dtype) {
    case at::kDouble:
      return 1e-9;
    case at::kBFloat16:
      return 2e-2;
    case at::kHalf:
      return 2e-3;
    default:
      return 1e-5;
  }
}

std::string read_text(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

void write_text(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

}  // namespace gen::test
