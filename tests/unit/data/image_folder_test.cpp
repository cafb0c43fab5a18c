#include "data/image_folder/image_folder.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <set>

#include "gen/core/error.h"
#include "gen/data/loader.h"
#include "gen/io/image.h"
#include "support/support.h"

namespace gen {
namespace {

/// Columns of rising brightness.
void write_ramp(const std::filesystem::path& path, int64_t width, int64_t height) {
  std::filesystem::create_directories(path.parent_path());
  Image image{width, height, 1, {}};
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width; ++x) image.pixels.push_back(static_cast<uint8_t>(x * 255 / (width - 1)));
  write_png(path, image);
}

struct ImageFolder : testing::Test {
  ImageFolder() {
    options.path = folder.path().string();
    options.size = 8;
  }
  std::string error() const {
    try {
      read_batch(*make_image_folder(options, Split::train), 0, 1);
    } catch (const DataError& what) {
      return what.what();
    }
    return "";
  }
  test::TempDir folder;
  ImageFolderOptions options;
};

TEST_F(ImageFolder, TakesLabelsFromSubFoldersSorted) {
  write_ramp(folder / "cat/deep/one.png", 16, 16);
  write_ramp(folder / "cat/two.PNG", 16, 16);
  write_ramp(folder / "cat-like/three.png", 16, 16);
  write_ramp(folder / ".cache/four.png", 16, 16);
  test::write_text(folder / "cat/notes.txt", "not an image");
  const auto data = make_image_folder(options, Split::train);
  EXPECT_EQ(data->spec().class_names, (std::vector<std::string>{"cat", "cat-like"}));
  const Batch batch = read_batch(*data, 0, data->size());
  EXPECT_EQ(batch.x.sizes(), (std::vector<int64_t>{3, 3, 8, 8}));
  EXPECT_TRUE(torch::equal(batch.label, torch::tensor({1, 0, 0}, torch::kLong)));  // "-" sorts before "/"
  options.labels = FolderLabels::none;
  EXPECT_EQ(make_image_folder(options, Split::train)->spec().num_classes, 0);
}

TEST_F(ImageFolder, AFlatFolderIsUnlabelledUnlessLabelsAreAskedFor) {
  write_ramp(folder / "one.png", 16, 16);
  EXPECT_EQ(make_image_folder(options, Split::train)->spec().num_classes, 0);
  options.labels = FolderLabels::folders;
  EXPECT_NE(error().find("one.png: this image lies in no sub-folder"), std::string::npos);
}

TEST_F(ImageFolder, CropsTheMiddleSquareOrARandomOneInTraining) {
  write_ramp(folder / "wide.png", 64, 8);
  options.channels = 1;
  const auto middle = read_batch(*make_image_folder(options, Split::train), 0, 1).x;
  EXPECT_NEAR(middle.mean().item<double>(), 0.5, 0.01);
  options.crop = Crop::random;
  const auto data = make_image_folder(options, Split::train);
  std::set<int> offsets;
  for (uint64_t seed = 0; seed < 300; ++seed) {
    HostRng rng(seed);
    offsets.insert(data->get(0, &rng).x[0][0][0].item<int>());
  }
  EXPECT_EQ(offsets.size(), 57U);  // all offsets of 8 in 64
  EXPECT_EQ(*offsets.begin(), 0);
}

TEST_F(ImageFolder, FlipsAtRandomInTrainingOnly) {
  write_ramp(folder / "one.png", 16, 16);
  options.random_flip = true;
  const auto data = make_image_folder(options, Split::train);
  int flipped = 0;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    HostRng rng(seed);
    const auto x = data->get(0, &rng).x;
    flipped += x[0][0][0].item<int>() > x[0][0][7].item<int>();
  }
  EXPECT_NEAR(flipped, 50, 20);
}

TEST_F(ImageFolder, SplitsAreDisjointCompleteAndStable) {
  for (int i = 0; i < 80; ++i) write_ramp(folder / (std::to_string(i) + ".png"), 2 + i % 7, 2);
  options.validation_fraction = 0.2;
  options.test_fraction = 0.1;
  const auto sizes = [&] {
    std::vector<int64_t> all;
    for (const Split split : {Split::train, Split::validation, Split::test})
      all.push_back(make_image_folder(options, split)->size());
    return all;
  };
  const auto before = sizes();
  EXPECT_EQ(before[0] + before[1] + before[2], 80);
  EXPECT_NEAR(static_cast<double>(before[1]), 16, 12);
  EXPECT_NEAR(static_cast<double>(before[2]), 8, 7);
  write_ramp(folder / "one_more.png", 4, 4);  // moves no other file to another split
  const auto after = sizes();
  int64_t changed = 0;
  for (size_t i = 0; i < 3; ++i) changed += std::abs(after[i] - before[i]);
  EXPECT_EQ(changed, 1);
}

TEST_F(ImageFolder, LinksThatLeadRoundAreRefused) {
  std::filesystem::create_directories(folder / "a");
  std::filesystem::create_directories(folder / "b");
  for (const auto& [from, to] : {std::pair{"a/x", "b"}, {"a/y", "b"}, {"b/x", "a"}, {"b/y", "a"}})
    std::filesystem::create_directory_symlink(folder / to, folder / from);
  EXPECT_NE(error().find("a link to a folder that it lies in (remove the link)"), std::string::npos)
      << error();
}

// 25 folders that each link to the next twice can be walked in 33 million ways.
TEST_F(ImageFolder, AFolderIsLinkedToAFewTimesOnly) {
  for (int i = 0; i < 25; ++i) {
    std::filesystem::create_directories(folder / fmt::format("d{}", i));
    for (const char* name : {"l", "r"})
      std::filesystem::create_directory_symlink(folder / fmt::format("d{}", i + 1),
                                                folder / fmt::format("d{}/{}", i, name));
  }
  EXPECT_NE(error().find("linked to more than 16 times"), std::string::npos) << error();
}

TEST_F(ImageFolder, FoldersNamedAsSplitsAreTheSplitsWithClassesBelowThem) {
  for (const char* file :
       {"train/cat/1.png", "train/dog/1.png", "train/dog/2.png", "val/cat/1.png", "val/dog/1.png"})
    write_ramp(folder / file, 4, 4);
  test::write_text(folder / "README.md", "not an image");
  const auto train = make_image_folder(options, Split::train),
             val = make_image_folder(options, Split::validation);
  EXPECT_EQ(train->spec().class_names, (std::vector<std::string>{"cat", "dog"}));
  EXPECT_EQ(val->spec(), train->spec());
  EXPECT_TRUE(torch::equal(read_batch(*train, 0, 3).label, torch::tensor({0, 1, 1}, torch::kLong)));
  EXPECT_EQ(val->size(), 2);
  EXPECT_EQ(make_image_folder(options, Split::test)->size(), 0);
  options.validation_fraction = 0.5;
  EXPECT_THROW(make_image_folder(options, Split::train), ConfigError) << "held out twice";
}

TEST_F(ImageFolder, AClassWithoutTrainingImagesIsTold) {
  for (const char* file : {"train/a/1.png", "train/b/1.png", "val/b/1.png", "test/c/1.png"})
    write_ramp(folder / file, 4, 4);
  testing::internal::CaptureStderr();
  EXPECT_EQ(make_image_folder(options, Split::train)->spec().num_classes, 3);
  const auto said = testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("no training image is of the class c:"), std::string::npos) << said;
}

TEST_F(ImageFolder, AFlatTestFolderTakesNoLabelsFromTraining) {
  for (const char* file : {"Train/a/1.png", "Train/b/1.png", "Test/1.png"}) write_ramp(folder / file, 4, 4);
  EXPECT_EQ(make_image_folder(options, Split::train)->spec().num_classes, 2);
  EXPECT_THROW(make_image_folder(options, Split::test), DataError) << "no class for 1.png";
  options.labels = FolderLabels::none;
  EXPECT_EQ(make_image_folder(options, Split::test)->size(), 1);
}

TEST_F(ImageFolder, ClassesThatHappenToBeNamedTrainStayClasses) {
  for (const char* file : {"train/1.png", "car/1.png"}) write_ramp(folder / file, 4, 4);
  testing::internal::CaptureStderr();
  EXPECT_EQ(make_image_folder(options, Split::train)->spec().num_classes, 2);
  const auto said = testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("\"train\" is taken for a class"), std::string::npos) << said;
}

TEST_F(ImageFolder, FilesPassedOverAreCountedByEnding) {
  write_ramp(folder / "a/1.png", 4, 4);
  std::filesystem::create_directories(folder / "b");
  for (const char* file : {"a/2.webp", "a/3.WEBP", "b/4.gif", "notes.txt", ".hidden.bmp"})
    test::write_text(folder / file, "x");
  testing::internal::CaptureStderr();
  make_image_folder(options, Split::train);
  make_image_folder(options, Split::validation);
  const auto said = testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("4 files are passed over"), std::string::npos) << said;
  EXPECT_NE(said.find("1 .gif (e.g. b/4.gif), 1 .txt (e.g. notes.txt), 2 .webp (e.g. a/2.webp)"),
            std::string::npos);
  EXPECT_NE(said.find("no image at all in the sub-folder b"), std::string::npos) << said;
  EXPECT_EQ(said.find("passed over"), said.rfind("passed over")) << "told twice";
}

TEST_F(ImageFolder, ANameThatIsNotUtf8GivesAClassThatIs) {
  write_ramp(folder / "caf\xe9/1.png", 4, 4);
  write_ramp(folder / "na\xefve/1.png", 4, 4);
  const auto data = make_image_folder(options, Split::train);
  EXPECT_EQ(data->spec().class_names, (std::vector<std::string>{"caf\\xe9", "na\\xefve"}));
  EXPECT_TRUE(torch::equal(read_batch(*data, 0, 2).label, torch::tensor({0, 1}, torch::kLong)));
  write_ramp(folder / "caf\\xe9/1.png", 4, 4);
  EXPECT_NE(error().find("two class folders"), std::string::npos) << error();
}

TEST_F(ImageFolder, ErrorsNameTheFileAndWhatToDo) {
  EXPECT_NE(error().find("no .png, .jpg or .jpeg files"), std::string::npos);
  test::write_text(folder / "photo.heic", "x");
  EXPECT_NE(error().find("there are 1 .heic (e.g. photo.heic)"), std::string::npos) << error();
  test::write_text(folder / "broken.png", "\x89PNG\r\n\x1a\nand then nothing");
  EXPECT_NE(error().find("broken.png"), std::string::npos);
  options.path = (folder / "absent").string();
  EXPECT_NE(error().find("expected a folder"), std::string::npos);
  EXPECT_THROW(make_image_folder({}, Split::train), ConfigError);
}

}  // namespace
}  // namespace gen
