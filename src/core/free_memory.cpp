#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>
#include <optional>

#include "gen/core/error.h"
#include "gen/core/memory.h"
#include "gen/core/units.h"

namespace gen {
namespace {

namespace fs = std::filesystem;
constexpr int64_t kNoLimit = std::numeric_limits<int64_t>::max();

// The number after `key` in a file of "key value" lines, such as /proc/meminfo.
std::optional<int64_t> value_of(const fs::path& path, const std::string& key) {
  std::ifstream file(path);
  std::string word;
  int64_t value = 0;
  while (file >> word) {
    if (word == key && file >> value) return value;
    file.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
    file.clear(file.rdstate() & ~std::ios::failbit);
  }
  return std::nullopt;
}

// A file of one number; none where it says "max" or is not there.
std::optional<int64_t> number_in(const fs::path& path) {
  std::ifstream file(path);
  int64_t value = 0;
  if (!(file >> value)) return std::nullopt;
  return value;
}

int64_t free_in_the_machine() {
  const auto kib = value_of("/proc/meminfo", "MemAvailable:");
  return kib ? *kib * 1024 : kNoLimit;
}

// Left below the limit of a control group, whose use counts file caches that it could drop.
int64_t left_in_group(const fs::path& folder, const char* limit, const char* use) {
  const auto most = number_in(folder / limit), used = number_in(folder / use);
  if (!most || !used) return kNoLimit;
  const int64_t caches = value_of(folder / "memory.stat", "inactive_file").value_or(0) +
                         value_of(folder / "memory.stat", "active_file").value_or(0) +
                         value_of(folder / "memory.stat", "slab_reclaimable").value_or(0);
  return std::max<int64_t>(0, *most - std::max<int64_t>(0, *used - caches));
}

// The groups that the process lies in, innermost first; limits of the outer ones hold as well.
int64_t left_in_groups() {
  int64_t least = kNoLimit;
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const auto colon = line.rfind(':');
    const bool unified = line.starts_with("0::"), memory = line.find(":memory:") != std::string::npos;
    if (colon == std::string::npos || (!unified && !memory)) continue;
    const fs::path root = unified ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory";
    for (fs::path group = line.substr(colon + 1);; group = group.parent_path()) {
      const fs::path folder = root / group.relative_path();
      least =
          std::min(least, unified ? left_in_group(folder, "memory.max", "memory.current")
                                  : left_in_group(folder, "memory.limit_in_bytes", "memory.usage_in_bytes"));
      if (group == group.parent_path() || group.empty()) break;
    }
  }
  return least;
}

int64_t left_of_address_space() {
  rlimit limit{};
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return kNoLimit;
  const int64_t used = number_in("/proc/self/statm").value_or(0) * sysconf(_SC_PAGESIZE);
  return std::max<int64_t>(0, static_cast<int64_t>(limit.rlim_cur) - used);
}

}  // namespace

FreeMemory free_memory() {
  FreeMemory least{free_in_the_machine(), "the machine"};
  const auto consider = [&](int64_t bytes, const char* bound) {
    if (bytes < least.bytes) least = {bytes, bound};
  };
  consider(left_in_groups(), "the container's limit");
  consider(left_of_address_space(), "the limit on address space, ulimit -v");
  return least;
}

void require_memory(int64_t bytes, const std::string& what) {
  const FreeMemory free = free_memory();
  if (bytes > free.bytes)
    throw OutOfMemoryError(fmt::format("{} needs {}, and {} are free ({})", what,
                                       human_bytes(static_cast<double>(bytes)),
                                       human_bytes(static_cast<double>(free.bytes)), free.bound));
}

}  // namespace gen
