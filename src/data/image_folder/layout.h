// What the folders of a folder of images mean: classes, or splits with classes below them.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "data/image_folder/image_folder.h"
#include "gen/core/log.h"
#include "gen/data/dataset.h"

namespace gen {

/// The first component of a relative path; empty for a file in the folder itself.
std::string top_folder(const std::string& relative);

/// The layout that torchvision and Keras call ImageFolder: PATH/CLASS/..., or PATH/train/CLASS/... with val/ or test/ beside
/// it. The latter is taken where every image lies in a folder whose name is that of a split, one of them train.
class FolderLayout {
 public:
  /// `images` as scan_folder() lists them. Throws DataError where classes are asked for and an image has none, ConfigError
  /// where a share is to be held out for a split that has a folder of its own.
  FolderLayout(const ImageFolderOptions& options, const std::vector<std::string>& images);

  /// The split of an image, if a folder says so.
  std::optional<Split> split_of(const std::string& image) const;
  /// The names of the class folders, sorted bytewise; empty: unlabelled.
  const std::vector<std::string>& classes() const { return classes_; }
  /// The number of an image's class, -1 where there are none. Throws DataError where it lies in none of them.
  int64_t class_of(const std::string& image) const;
  /// What a person should know of how the folders were understood.
  struct Remark {
    log::Level level;
    std::string text;
  };
  std::vector<Remark> remarks() const;

 private:
  std::string class_folder(const std::string& image) const;
  void find_splits(const std::vector<std::string>& images);
  void find_classes(const std::vector<std::string>& images);

  ImageFolderOptions options_;
  std::map<std::string, Split> splits_;  // by the name of their folder
  std::vector<std::string> classes_, untrained_;
  std::string only_folder_;              // the one that holds every image, where classes might lie below it
  std::vector<std::string> below_only_;  // its sub-folders
};

}  // namespace gen
