#include "data/image_folder/scan.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <map>
#include <set>

#include "data/image_folder/layout.h"
#include "gen/core/error.h"
#include "gen/core/os_error.h"
#include "gen/core/rng.h"
#include "gen/core/text.h"

namespace gen {
namespace {

namespace fs = std::filesystem;

constexpr const char* kConvert = "convert them to PNG, say with ImageMagick: mogrify -format png FILES";

std::string ending_of(const fs::path& path) {
  std::string ending = path.extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return ending;
}

bool is_image(const std::string& ending) { return ending == ".png" || ending == ".jpg" || ending == ".jpeg"; }

std::set<std::string> top_folders(const std::vector<std::string>& files) {
  std::set<std::string> names;
  for (const auto& file : files)
    if (auto name = top_folder(file); !name.empty()) names.insert(std::move(name));
  return names;
}

// "10 .bmp (e.g. a.bmp), 2 without an ending (e.g. README)"
std::string endings_text(const ScannedFolder& scanned) {
  constexpr size_t kMost = 8;
  std::vector<std::string> parts;
  for (const auto& [ending, count] : scanned.passed_over) {
    if (parts.size() == kMost) {
      parts.emplace_back("...");
      break;
    }
    parts.push_back(fmt::format("{} {} (e.g. {})", count, ending.empty() ? "without an ending" : ending,
                                scanned.example.at(ending)));
  }
  return fmt::format("{}", fmt::join(parts, ", "));
}

constexpr size_t kMostDepth = 32;
// Links can name a folder in 2^depth ways; a selection made of links names it a few times.
constexpr int kMostVisits = 16;

// Links to folders are followed, so that a selection can be made of them.
class Scan {
 public:
  explicit Scan(fs::path root) : root_(std::move(root)) {}
  std::vector<std::string> images, others;

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
    if (!each.is_regular_file(gone)) return;
    auto& files = is_image(ending_of(name)) ? images : others;
    files.push_back((relative / name).generic_string());
    if (&files == &images && files.back().find('\n') != std::string::npos)
      throw DataError(fmt::format("{}: {}: a name with a line break (rename it)", root_.string(),
                                  printable_line(files.back())));
  }
  [[noreturn]] static void fail(const fs::path& folder, int code) {
    throw DataError(fmt::format("{}: cannot list the images: {}", folder.string(), os_error_text(code)));
  }

  fs::path root_;
  std::vector<Identity> chain_;  // from the root to the folder being read
  std::map<Identity, int> visits_;
};

}  // namespace

ScannedFolder scan_folder(const fs::path& folder) {
  std::error_code error;
  if (!fs::is_directory(folder, error))
    throw DataError(fmt::format("{}: expected a folder with images, got {}: set data.path", folder.string(),
                                fs::exists(folder, error) ? "a file" : "nothing there"));
  ScannedFolder scanned;
  Scan scan(folder);
  scan.folder({});
  scanned.images = std::move(scan.images);
  auto others = std::move(scan.others);
  std::sort(scanned.images.begin(), scanned.images.end());
  std::sort(others.begin(), others.end());
  for (const auto& file : others) {
    const std::string ending = ending_of(file);
    ++scanned.passed_over[ending];
    scanned.example.emplace(ending, file);
  }
  const auto with = top_folders(scanned.images), with_others = top_folders(others);
  std::set_difference(with_others.begin(), with_others.end(), with.begin(), with.end(),
                      std::back_inserter(scanned.without_image));
  if (scanned.images.empty())
    throw DataError(fmt::format(
        "{}: no .png, .jpg or .jpeg files in this folder or below it{}", folder.string(),
        others.empty() ? std::string()
                       : fmt::format("; there are {}{}", endings_text(scanned),
                                     passed_over_pictures(scanned) ? fmt::format(": {}", kConvert) : "")));
  return scanned;
}

std::string passed_over_text(const ScannedFolder& scanned) {
  int64_t count = 0;
  for (const auto& [ending, files] : scanned.passed_over) count += files;
  if (count == 0) return {};
  std::string text = fmt::format("{} file{} passed over, as only .png, .jpg and .jpeg are read: {}", count,
                                 count == 1 ? " is" : "s are", endings_text(scanned));
  if (!scanned.without_image.empty())
    text += fmt::format("; no image at all in the sub-folder{} {}",
                        scanned.without_image.size() > 1 ? "s" : "", fmt::join(scanned.without_image, ", "));
  return passed_over_pictures(scanned) ? fmt::format("{} ({})", text, kConvert) : text;
}

bool passed_over_pictures(const ScannedFolder& scanned) {
  static constexpr const char* kPictures[] = {".avif", ".bmp", ".gif", ".heic", ".heif", ".jfif",
                                              ".jp2",  ".jpe", ".jxl", ".pgm",  ".pnm",  ".ppm",
                                              ".psd",  ".svg", ".tga", ".tif",  ".tiff", ".webp"};
  return std::any_of(std::begin(kPictures), std::end(kPictures),
                     [&](const char* ending) { return scanned.passed_over.contains(ending); });
}

Split split_of(const std::string& relative, double validation_fraction, double test_fraction) {
  uint64_t hash = 0xCBF29CE484222325ULL;  // FNV-1a, then mixed by the generator for good high bits
  for (const char c : relative) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
  const double u = HostRng(hash).uniform();
  if (u < test_fraction) return Split::test;
  return u < test_fraction + validation_fraction ? Split::validation : Split::train;
}

}  // namespace gen
