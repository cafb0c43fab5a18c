#include "gen/core/device.h"

#include <ATen/Context.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <dlfcn.h>
#include <fmt/format.h>

#include <filesystem>
#include <regex>

#include "gen/core/error.h"

namespace gen {
namespace {

// The folder of the shared object that holds `address`.
std::filesystem::path folder_of(const void* address) {
  Dl_info info{};
  return dladdr(address, &info) != 0 ? std::filesystem::path(info.dli_fname).parent_path()
                                     : std::filesystem::path();
}

bool has_driver() {
  static const bool found = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL) != nullptr;
  return found;
}

// Opens LibTorch's CUDA library before the first CUDA query; returns why not, or "".
std::string open_torch_cuda() {
  static const std::string problem = [] {
    if (!has_driver()) return std::string("no NVIDIA driver (libcuda.so.1) on this machine");
    const auto beside_cpu = folder_of(reinterpret_cast<const void*>(&at::globalContext)) / "libtorch_cuda.so";
    if (dlopen(beside_cpu.c_str(), RTLD_NOW | RTLD_GLOBAL) == nullptr)
      return fmt::format("LibTorch's CUDA library cannot be opened ({}); run scripts/setup.sh --cuda",
                         dlerror());
    if (!at::globalContext().hasCUDA() || at::detail::getCUDAHooks().deviceCount() == 0)
      return std::string("LibTorch sees no CUDA device");
    return std::string();
  }();
  return problem;
}

}  // namespace

at::Device resolve_device(const std::string& name) {
  if (name == "cpu") return at::kCPU;
  static const std::regex cuda_name("cuda(:[0-9]{1,3})?");
  if (name != "auto" && !std::regex_match(name, cuda_name))
    throw ConfigError(
        fmt::format("device: expected \"auto\", \"cpu\", \"cuda\" or \"cuda:N\", got \"{}\"", name));
  if (name == "auto" && !has_driver()) return at::kCPU;
  if (const std::string problem = open_torch_cuda(); !problem.empty()) {
    if (name == "auto") return at::kCPU;
    throw ConfigError(
        fmt::format("device \"{}\" cannot be used: {} (use \"cpu\" or \"auto\")", name, problem));
  }
  const at::Device device = name == "auto" ? at::Device(at::kCUDA, 0) : at::Device(name);
  const auto count = at::detail::getCUDAHooks().deviceCount();
  if (device.has_index() && device.index() >= count)
    throw ConfigError(
        fmt::format("device \"{}\" cannot be used: this machine has {} CUDA device(s)", name, count));
  return device.has_index() ? device : at::Device(at::kCUDA, 0);
}

void* cuda_symbol(const char* name, std::string* why) {
  static std::string problem;
  static void* const library = [] {
    const auto beside_gen = folder_of(reinterpret_cast<const void*>(&resolve_device)) / "libgen_cuda.so";
    void* handle = dlopen(beside_gen.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) problem = dlerror();
    return handle;
  }();
  if (library == nullptr) {
    if (why != nullptr) *why = problem;
    return nullptr;
  }
  void* symbol = dlsym(library, name);
  if (symbol == nullptr && why != nullptr) *why = fmt::format("libgen_cuda.so has no {}", name);
  return symbol;
}

}  // namespace gen
