// The image_folder data set: PNG and JPEG files of a folder and its sub-folders, read when they are asked
// for.
#pragma once

#include "gen/config/options.h"
#include "gen/data/dataset.h"

namespace gen {

enum class Crop { center, random };
inline constexpr std::array<std::pair<const char*, Crop>, 2> kCropNames{
    {{"center", Crop::center}, {"random", Crop::random}}};
enum class FolderLabels { automatic, folders, none };
inline constexpr std::array<std::pair<const char*, FolderLabels>, 3> kFolderLabelNames{
    {{"auto", FolderLabels::automatic}, {"folders", FolderLabels::folders}, {"none", FolderLabels::none}}};

struct ImageFolderOptions {
  std::string path;
  int64_t size = 64;
  int64_t channels = 3;
  Crop crop = Crop::center;
  bool random_flip = false;
  FolderLabels labels = FolderLabels::automatic;
  double validation_fraction = 0;
  double test_fraction = 0;
  int64_t max_pixels = int64_t{1} << 26;
  BadExampleOptions bad_examples;

  void visit(OptionVisitor& v) {
    v.field("path", path,
            "folder whose .png, .jpg and .jpeg files, at any depth, are the data, or with a folder for each "
            "split: "
            "train, val, test; needed to read them",
            {.existing_path = true});
    v.field("size", size,
            "height and width in pixels, to which the cropped square is scaled with antialiasing",
            {.min = 1, .max = 8192});
    v.field("channels", channels,
            "3: colour (grey files are repeated); 1: grey (colour files become their luma)",
            {.min = 1, .max = 3});
    v.require(channels == 1 || channels == 3, "channels", "1 or 3", std::to_string(channels));
    v.choice("crop", crop, kCropNames,
             "where the largest square is cut from an oblong image: its middle, or (training split only) at "
             "random");
    v.field("random_flip", random_flip, "mirror training images left and right at random");
    v.choice("labels", labels, kFolderLabelNames,
             "folders: the sub-folder of path (or of a split's folder) that an image lies in is its class; "
             "none; auto: "
             "folders where every image lies in one and there are two or more");
    v.field("validation_fraction", validation_fraction,
            "share of the images (of train, where that is a folder) held out as the validation split, chosen "
            "by a "
            "hash of the file's path below data.path, so that added files move no others",
            {.min = 0, .max = 0.9});
    v.field("test_fraction", test_fraction, "share of the images held out as the test split, in the same way",
            {.min = 0, .max = 0.9});
    v.require(validation_fraction + test_fraction < 1, "test_fraction",
              "less than 1 with validation_fraction", std::to_string(validation_fraction + test_fraction));
    v.field("max_pixels", max_pixels, "files whose header claims more pixels than this are refused",
            {.min = 1, .max = 1e9});
    bad_examples.visit(v);
  }
};

/// Reads the list of files, not their contents. Throws ConfigError without a path, DataError where the folder
/// cannot be read or holds no images; get() throws DataError naming a file that cannot be decoded.
std::unique_ptr<Dataset> make_image_folder(const ImageFolderOptions& options, Split split);

}  // namespace gen
