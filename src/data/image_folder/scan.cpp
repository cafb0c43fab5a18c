#include "data/image_folder/scan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "gen/core/error.h"
#include "gen/core/rng.h"

namespace gen {
namespace {

namespace fs = std::filesystem;

bool is_image(const fs::path& path) {
  std::string ending = path.extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return ending == ".png" || ending == ".jpg" || ending == ".jpeg";
}

}  // namespace

std::vector<std::string> scan_images(const fs::path& folder) {
  std::error_code error;
  if (!fs::is_directory(folder, error))
    throw DataError(fmt::format("{}: expected a folder with images: set data.path", folder.string()));
  std::vector<std::string> found;
  try {
    // Links to folders are followed, so that a selection can be made of them; the depth limit ends a cycle of
    // links.
    constexpr int kMaxDepth = 32;
    auto it = fs::recursive_directory_iterator(folder, fs::directory_options::follow_directory_symlink);
    for (; it != fs::recursive_directory_iterator(); ++it) {
      const bool hidden = it->path().filename().string().starts_with(".");
      if (it->is_directory()) {
        if (hidden) it.disable_recursion_pending();
        if (it.depth() >= kMaxDepth)
          throw DataError(fmt::format("{}: more than {} folders deep: is there a cycle of links?",
                                      it->path().string(), kMaxDepth));
      } else if (!hidden && is_image(it->path()) && it->is_regular_file()) {
        found.push_back(it->path().lexically_relative(folder).generic_string());
      }
    }
  } catch (const fs::filesystem_error& failure) {
    throw DataError(fmt::format("{}: cannot list the images: {}", folder.string(), failure.what()));
  }
  if (found.empty())
    throw DataError(
        fmt::format("{}: no .png, .jpg or .jpeg files in this folder or below it", folder.string()));
  std::sort(found.begin(), found.end());
  return found;
}

std::string top_folder(const std::string& relative) {
  const size_t slash = relative.find('/');
  return slash == std::string::npos ? std::string() : relative.substr(0, slash);
}

Split split_of(const std::string& relative, double validation_fraction, double test_fraction) {
  uint64_t hash = 0xCBF29CE484222325ULL;  // FNV-1a, then mixed by the generator for good high bits
  for (const char c : relative) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
  const double u = HostRng(hash).uniform();
  if (u < test_fraction) return Split::test;
  return u < test_fraction + validation_fraction ? Split::validation : Split::train;
}

}  // namespace gen
