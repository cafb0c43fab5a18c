#include "data/image_folder/scan.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <map>

#include "gen/core/error.h"
#include "gen/core/os_error.h"
#include "gen/core/rng.h"
#include "gen/core/text.h"

namespace gen {
namespace {

namespace fs = std::filesystem;

bool is_image(const fs::path& path) {
  std::string ending = path.extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return ending == ".png" || ending == ".jpg" || ending == ".jpeg";
}

constexpr size_t kMostDepth = 32;
// Links can name a folder in 2^depth ways; a selection made of links names it a few times.
constexpr int kMostVisits = 16;

// Links to folders are followed, so that a selection can be made of them.
class Scan {
 public:
  explicit Scan(fs::path root) : root_(std::move(root)) {}
  std::vector<std::string> found;

  void folder(const fs::path& relative) {
    const fs::path here = root_ / relative;
    struct stat status{};
    if (::stat(here.c_str(), &status) != 0) fail(here, errno);
    const Identity identity{status.st_dev, status.st_ino};
    if (std::find(chain_.begin(), chain_.end(), identity) != chain_.end())
      throw DataError(fmt::format("{}: a link to a folder that it lies in (remove the link)", here.string()));
    if (chain_.size() > kMostDepth)
      throw DataError(fmt::format("{}: more than {} folders deep", here.string(), kMostDepth));
    if (++visits_[identity] > kMostVisits)
      throw DataError(fmt::format("{}: linked to more than {} times below {} (remove the links)",
                                  here.string(), kMostVisits, root_.string()));
    chain_.push_back(identity);
    std::error_code error;
    auto it = fs::directory_iterator(here, error);
    for (; !error && it != fs::directory_iterator(); it.increment(error)) entry(*it, relative);
    if (error) fail(here, error.value());
    chain_.pop_back();
  }

 private:
  using Identity = std::pair<dev_t, ino_t>;

  void entry(const fs::directory_entry& each, const fs::path& relative) {
    const auto name = each.path().filename();
    if (name.native().starts_with(".")) return;
    std::error_code gone;  // a link to nothing is neither
    if (each.is_directory(gone)) return folder(relative / name);
    if (!is_image(name) || !each.is_regular_file(gone)) return;
    found.push_back((relative / name).generic_string());
    if (found.back().find('\n') != std::string::npos)
      throw DataError(fmt::format("{}: {}: a name with a line break (rename it)", root_.string(),
                                  printable_line(found.back())));
  }
  [[noreturn]] static void fail(const fs::path& folder, int code) {
    throw DataError(fmt::format("{}: cannot list the images: {}", folder.string(), os_error_text(code)));
  }

  fs::path root_;
  std::vector<Identity> chain_;  // from the root to the folder being read
  std::map<Identity, int> visits_;
};

}  // namespace

std::vector<std::string> scan_images(const fs::path& folder) {
  std::error_code error;
  if (!fs::is_directory(folder, error))
    throw DataError(fmt::format("{}: expected a folder with images: set data.path", folder.string()));
  Scan scan(folder);
  scan.folder({});
  auto found = std::move(scan.found);
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
