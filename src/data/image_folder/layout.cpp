#include "data/image_folder/layout.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <iterator>
#include <set>

#include "gen/core/error.h"
#include "gen/core/quote.h"

namespace gen {
namespace {

namespace fs = std::filesystem;

std::optional<Split> split_of_name(std::string name) {
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  if (name == "train" || name == "training") return Split::train;
  if (name == "val" || name == "valid" || name == "validation") return Split::validation;
  if (name == "test" || name == "testing") return Split::test;
  return std::nullopt;
}

bool has_split(const std::map<std::string, Split>& splits, Split wanted) {
  return std::any_of(splits.begin(), splits.end(), [&](const auto& each) { return each.second == wanted; });
}

// The first few of many names.
std::string shortened(const std::vector<std::string>& names) {
  constexpr size_t kMost = 12;
  const size_t shown = std::min(kMost, names.size());
  return fmt::format("{}{}",
                     fmt::join(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(shown), ", "),
                     shown < names.size() ? fmt::format(", ... {} in all", names.size()) : "");
}

}  // namespace

std::string top_folder(const std::string& relative) {
  const size_t slash = relative.find('/');
  return slash == std::string::npos ? std::string() : relative.substr(0, slash);
}

FolderLayout::FolderLayout(const ImageFolderOptions& options, const std::vector<std::string>& images)
    : options_(options) {
  find_splits(images);
  if (options_.labels != FolderLabels::none) find_classes(images);
}

void FolderLayout::find_splits(const std::vector<std::string>& images) {
  for (const auto& image : images) {
    const std::string folder = top_folder(image);
    const auto split = split_of_name(folder);
    if (!split) {
      splits_.clear();
      return;
    }
    splits_.emplace(folder, *split);
  }
  if (!has_split(splits_, Split::train)) splits_.clear();
  for (const auto& [folder, split] : splits_) {
    const double share = split == Split::train        ? 0
                         : split == Split::validation ? options_.validation_fraction
                                                      : options_.test_fraction;
    if (share > 0)
      throw ConfigError(
          fmt::format("image_folder: data.{}_fraction: expected 0, as {} holds this split, got {}",
                      to_string(split), (fs::path(options_.path) / folder).string(), share));
  }
}

std::string FolderLayout::class_folder(const std::string& image) const {
  return top_folder(splits_.empty() ? image : image.substr(image.find('/') + 1));
}

void FolderLayout::find_classes(const std::vector<std::string>& images) {
  std::set<std::string> names, trained, below;
  for (const auto& image : images) {
    const std::string name = class_folder(image);
    // A folder of unlabelled test images, as competitions have, takes no labels from the others.
    const bool must = split_of(image).value_or(Split::train) == Split::train;
    if (name.empty() && must && options_.labels == FolderLabels::automatic) return;
    if (name.empty() && must) class_of(image);  // throws
    if (name.empty()) continue;
    names.insert(name);
    if (must) trained.insert(name);
    if (splits_.empty()) below.insert(top_folder(image.substr(name.size() + 1)));
  }
  if (names.size() > 1 || options_.labels == FolderLabels::folders)
    classes_.assign(names.begin(), names.end());
  else if (names.size() == 1 && below.size() > 1 && !below.contains(""))
    only_folder_ = *names.begin(), below_only_.assign(below.begin(), below.end());
  std::set_difference(classes_.begin(), classes_.end(), trained.begin(), trained.end(),
                      std::back_inserter(untrained_));
}

std::optional<Split> FolderLayout::split_of(const std::string& image) const {
  const auto found = splits_.find(top_folder(image));
  return found == splits_.end() ? std::nullopt : std::optional(found->second);
}

int64_t FolderLayout::class_of(const std::string& image) const {
  const std::string name = class_folder(image);
  if (name.empty() && (!classes_.empty() || options_.labels == FolderLabels::folders))
    throw DataError(
        fmt::format("{}: this image lies in no sub-folder, so it has no class; move it into one or set "
                    "data.labels to \"none\"",
                    (fs::path(options_.path) / image).string()));
  const auto found = std::lower_bound(classes_.begin(), classes_.end(), name);
  return found == classes_.end() ? -1 : found - classes_.begin();
}

std::vector<FolderLayout::Remark> FolderLayout::remarks() const {
  std::vector<Remark> all;
  if (!splits_.empty()) {
    std::vector<std::string> parts;
    for (const auto& [folder, split] : splits_)
      parts.push_back(fmt::format("{} in {}/", to_string(split), folder));
    all.push_back(
        {log::Level::info, fmt::format("its folders are splits: {}; {}", fmt::join(parts, ", "),
                                       classes_.empty() ? std::string("no classes below them")
                                                        : fmt::format("classes: {}", shortened(classes_)))});
  }
  if (!untrained_.empty())
    all.push_back({log::Level::warning,
                   fmt::format("no training image is of the class{} {}: a model that is conditioned on "
                               "classes never sees {} (move the folder away, or give it training images)",
                               untrained_.size() == 1 ? "" : "es", shortened(untrained_),
                               untrained_.size() == 1 ? "it" : "them")});
  const auto path_of = [&](const std::string& folder) {
    return shell_quote((fs::path(options_.path) / folder).string());
  };
  for (const auto& name : classes_)
    if (splits_.empty() && split_of_name(name) == Split::train)
      all.push_back(
          {log::Level::warning,
           fmt::format("\"{}\" is taken for a class, as not every folder is named as a split is (classes: "
                       "{}); to train on it alone: --set data.path={}",
                       name, shortened(classes_), path_of(name))});
  if (!only_folder_.empty())
    all.push_back(
        {log::Level::warning,
         fmt::format("every image lies in {}/, so there are no classes; for its sub-folders to be classes "
                     "({}): --set data.path={}",
                     only_folder_, shortened(below_only_), path_of(only_folder_))});
  return all;
}

}  // namespace gen
