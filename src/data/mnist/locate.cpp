#include "data/mnist/locate.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <vector>

#include "gen/core/error.h"
#include "gen/core/log.h"
#include "gen/core/quote.h"

namespace gen {
namespace {

namespace fs = std::filesystem;

constexpr const char* kImages[] = {"-images-idx3-ubyte", "-images.idx3-ubyte"};
constexpr const char* kLabels[] = {"-labels-idx1-ubyte", "-labels.idx1-ubyte"};

// Below the folder that a person names. torchvision takes a root and keeps ROOT/CLASS/raw; EMNIST's archive is gzip.zip.
constexpr const char* kBelow[] = {"raw",         "gzip",       "MNIST/raw",  "FashionMNIST/raw",
                                  "KMNIST/raw",  "QMNIST/raw", "EMNIST/raw", "EMNIST/raw/gzip",
                                  "EMNIST/gzip", "raw/gzip"};

bool is_file(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error);
}

std::optional<fs::path> find_file(const fs::path& folder, const std::string& prefix,
                                  std::span<const char* const> names) {
  for (const char* name : names)
    for (const char* ending : {"", ".gz"})
      if (fs::path path = folder / (prefix + name + ending); is_file(path)) return path;
  return std::nullopt;
}

std::optional<IdxPair> find_pair(const fs::path& folder, const std::string& prefix) {
  const auto images = find_file(folder, prefix, kImages), labels = find_file(folder, prefix, kLabels);
  if (!images || !labels) return std::nullopt;
  return IdxPair{*images, *labels};
}

// EMNIST's six sets (Cohen et al. 2017, table II) and what they need.
struct EmnistSet {
  const char* name;
  int num_classes, first_label;
};
constexpr EmnistSet kEmnist[] = {{"balanced", 47, 0}, {"byclass", 62, 0}, {"bymerge", 47, 0},
                                 {"digits", 10, 0},   {"letters", 26, 1}, {"mnist", 10, 0}};

std::string settings(const EmnistSet& set, const fs::path& folder) {
  return fmt::format(
      "--set data.path={} --set data.train_prefix=emnist-{}-train --set data.test_prefix=emnist-{}-test "
      "--set "
      "data.num_classes={} --set data.first_label={} --set data.transposed=true",
      shell_quote(folder.string()), set.name, set.name, set.num_classes, set.first_label);
}

// What else lies in the folders that were looked at.
std::string found_instead(const std::vector<fs::path>& folders) {
  std::vector<std::string> lines;
  for (const auto& folder : folders)
    for (const auto& set : kEmnist)
      if (find_pair(folder, fmt::format("emnist-{}-train", set.name)))
        lines.push_back(fmt::format("\n    {}", settings(set, folder)));
  if (!lines.empty())
    return fmt::format("\n  EMNIST is there; choose one of its sets:{}", fmt::join(lines, ""));
  for (const auto& folder : folders)
    for (const char* archive : {"MNIST.zip", "mnist.zip", "gzip.zip", "emnist.zip", "archive.zip"})
      if (is_file(folder / archive))
        return fmt::format("; {} is there: unpack it first", (folder / archive).string());
  return {};
}

std::vector<fs::path> folders_of(const fs::path& folder) {
  std::vector<fs::path> folders{folder};
  for (const char* below : kBelow) {
    std::error_code error;
    if (fs::is_directory(folder / below, error)) folders.push_back(folder / below);
  }
  return folders;
}

[[noreturn]] void missing(const fs::path& folder, const std::string& prefix,
                          const std::vector<fs::path>& folders) {
  if (is_file(folder))
    throw DataError(fmt::format(
        "{}: expected the folder of the IDX files, got a file: --set data.path={}", folder.string(),
        shell_quote(folder.has_parent_path() ? folder.parent_path().string() : ".")));
  for (const auto& each : folders) {
    const auto images = find_file(each, prefix, kImages), labels = find_file(each, prefix, kLabels);
    if (images || labels)
      throw DataError(fmt::format("{}: {} is there, but no {}{} or .gz beside it", each.string(),
                                  (images ? *images : *labels).filename().string(), prefix,
                                  images ? kLabels[0] : kImages[0]));
  }
  throw DataError(fmt::format(
      "{}: no {}{} or .gz in this folder; set data.path, data.train_prefix and data.test_prefix to where "
      "the files are{}{}",
      folder.string(), prefix, kImages[0],
      prefix == "t10k" ? ", or data.test to hold out training images" : "", found_instead(folders)));
}

}  // namespace

IdxPair locate_idx(const fs::path& folder, const std::string& prefix) {
  if (auto here = find_pair(folder, prefix)) return *here;
  const auto folders = folders_of(folder);
  std::vector<IdxPair> found;
  std::vector<std::string> paths;
  for (const auto& each : folders)
    if (auto pair = find_pair(each, prefix)) {
      found.push_back(*pair);
      paths.push_back("--set data.path=" + shell_quote(each.string()));
    }
  if (found.empty()) missing(folder, prefix, folders);
  if (found.size() > 1)
    throw DataError(fmt::format("{}: {} data sets lie below this folder; choose one: {}", folder.string(),
                                found.size(), fmt::join(paths, " or ")));
  return found.front();
}

}  // namespace gen
