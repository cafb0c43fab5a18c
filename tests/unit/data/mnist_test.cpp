#include "data/mnist/mnist.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <set>

#include "gen/core/error.h"
#include "gen/data/loader.h"
#include "support/data_files.h"
#include "support/support.h"

namespace gen {
namespace {

using test::TempDir;
using test::write_mnist_pair;
using test::write_text;

at::Tensor image(const Dataset& data, int64_t index) { return data.get(index, nullptr).x; }

/// Image i of a file is told by its first pixel, 7 i.
std::set<int> first_pixels(const Dataset& data) {
  std::set<int> pixels;
  for (int64_t i = 0; i < data.size(); ++i) pixels.insert(image(data, i)[0][0][0].item<int>());
  return pixels;
}

std::set<int> multiples_of_7(int count) {
  std::set<int> values;
  for (int i = 0; i < count; ++i) values.insert(7 * i);
  return values;
}

template <class E>
std::string error_of(const MnistOptions& options, Split split = Split::train) {
  try {
    make_mnist(options, split);
  } catch (const E& error) {
    return error.what();
  }
  return "";
}

struct Mnist : testing::Test {
  Mnist() {
    write_mnist_pair(folder.path(), "train", 30);
    write_mnist_pair(folder.path(), "t10k", 12);
    options.path = folder.path().string();
  }
  TempDir folder;
  MnistOptions options;
};

TEST_F(Mnist, SplitsAreTheFilesAndWhatIsHeldOutOfTheTrainingFiles) {
  options.validation = 4;
  const auto train = make_mnist(options, Split::train), validation = make_mnist(options, Split::validation);
  EXPECT_EQ(train->size(), 26);
  EXPECT_EQ(validation->size(), 4);
  EXPECT_EQ(make_mnist(options, Split::test)->size(), 12);
  EXPECT_EQ(first_pixels(*make_mnist(options, Split::test)), multiples_of_7(12));
  auto seen = first_pixels(*train);
  seen.merge(first_pixels(*validation));
  EXPECT_EQ(seen, multiples_of_7(30));
  options.test = 5;  // no test files are read then
  std::filesystem::remove(folder / "t10k-images-idx3-ubyte");
  EXPECT_EQ(make_mnist(options, Split::test)->size(), 5);
  seen.clear();
  for (const Split split : {Split::train, Split::validation, Split::test})
    seen.merge(first_pixels(*make_mnist(options, split)));
  EXPECT_EQ(seen, multiples_of_7(30));
}

TEST_F(Mnist, PadsWithZerosAllAround) {
  const auto native = image(*make_mnist(options, Split::train), 3);
  options.size = 32;
  const auto padded = image(*make_mnist(options, Split::train), 3);
  EXPECT_EQ(padded.sizes(), (std::vector<int64_t>{1, 32, 32}));
  EXPECT_EQ(make_mnist(options, Split::train)->spec().padding, 32 * 32 - 28 * 28);
  EXPECT_TRUE(torch::equal(padded.slice(1, 2, 30).slice(2, 2, 30), native));
  EXPECT_EQ(padded.sum().item<int64_t>(), native.sum().item<int64_t>());
}

TEST_F(Mnist, TurnsEmnistUprightAndShiftsItsLabels) {
  write_mnist_pair(folder.path(), "emnist-letters-train", 30, 28, 28, 26, 1);
  options.train_prefix = "emnist-letters-train";
  options.transposed = true;
  options.num_classes = 26;
  options.first_label = 1;
  const auto data = make_mnist(options, Split::train);
  EXPECT_EQ(image(*data, 0)[0][1][0].item<int>(), 1);  // stored at row 0, column 1
  EXPECT_EQ(data->get(25, nullptr).label, 25);
  EXPECT_EQ(data->spec().class_names.front(), "1");
  options.first_label = 0;
  EXPECT_NE(error_of<DataError>(options).find("expected a label in [0, 25], got 26"), std::string::npos);
}

// 2 kB of .gz hold a million images of one pixel: zeros around them would take 784 MB.
TEST_F(Mnist, ZerosAroundTinyImagesMayNotTakeTheMemory) {
  const std::string zeros(1'000'000, '\0');
  write_text(folder / "tiny-images-idx3-ubyte.gz", test::gzip(test::idx_bytes({1'000'000, 1, 1}, zeros)));
  write_text(folder / "tiny-labels-idx1-ubyte.gz", test::gzip(test::idx_bytes({1'000'000}, zeros)));
  options.train_prefix = "tiny";
  EXPECT_EQ(
      error_of<ConfigError>(options),
      "mnist: data.size is 28 but the 1000000 images are 1 x 1: zeros would take 783 of every 784 bytes; "
      "choose at most 4");
}

TEST_F(Mnist, FindsTorchvisionsAndEmnistsLayouts) {
  for (const char* below : {"MNIST/raw", "raw", "gzip"}) {
    const TempDir root;
    std::filesystem::create_directories(root / below);
    write_mnist_pair(root / below, "train", 30);
    options.path = root.path().string();
    EXPECT_EQ(make_mnist(options, Split::train)->size(), 30) << below;
  }
  const TempDir root;
  for (const char* set : {"MNIST/raw", "FashionMNIST/raw"}) {
    std::filesystem::create_directories(root / set);
    write_mnist_pair(root / set, "train", 30);
  }
  options.path = root.path().string();
  const auto error = error_of<DataError>(options);
  EXPECT_NE(error.find("--set data.path=" + (root / "FashionMNIST/raw").string()), std::string::npos)
      << error;
}

TEST_F(Mnist, NamesTheSettingsOfAnEmnistSet) {
  const TempDir root;
  std::filesystem::create_directories(root / "EMNIST/raw");
  write_mnist_pair(root / "EMNIST/raw", "emnist-letters-train", 30, 28, 28, 26, 1);
  options.path = root.path().string();
  const auto error = error_of<DataError>(options);
  EXPECT_NE(error.find("--set data.train_prefix=emnist-letters-train"), std::string::npos) << error;
  EXPECT_NE(error.find("--set data.num_classes=26 --set data.first_label=1 --set data.transposed=true"),
            std::string::npos);
  options.train_prefix = "emnist-letters-train";
  options.num_classes = 26;
  options.first_label = 1;
  testing::internal::CaptureStderr();
  EXPECT_EQ(make_mnist(options, Split::train)->size(), 30);
  EXPECT_NE(testing::internal::GetCapturedStderr().find("--set data.transposed=true"), std::string::npos);
}

TEST_F(Mnist, SaysWhatIsMissingAndWhatToDo) {
  EXPECT_NE(error_of<ConfigError>(MnistOptions{}).find("--set data.path"), std::string::npos);
  MnistOptions elsewhere = options;
  elsewhere.test_prefix = "eval";
  EXPECT_NE(error_of<DataError>(elsewhere, Split::test).find("no eval-images-idx3-ubyte"), std::string::npos);
  elsewhere.path = (folder / "train-images-idx3-ubyte").string();
  EXPECT_NE(error_of<DataError>(elsewhere).find("--set data.path=" + folder.path().string()),
            std::string::npos);
  options.validation = 30;
  EXPECT_NE(error_of<ConfigError>(options).find("leaves none of the 30"), std::string::npos);
  options.validation = 0;
  options.size = 27;
  EXPECT_NE(error_of<ConfigError>(options).find("choose at least 28"), std::string::npos);
  write_text(folder / "train-labels-idx1-ubyte", test::idx_bytes({2}, "\1\2"));
  EXPECT_NE(error_of<DataError>(options).find("do not belong together"), std::string::npos);
}

TEST(RealMnist, HasTheKnownCountsLabelsAndSums) {
  const auto folder = GEN_SHARED_OR_SKIP("data/mnist");
  MnistOptions options;
  options.path = folder.string();
  const auto train = make_mnist(options, Split::train), test = make_mnist(options, Split::test);
  EXPECT_EQ(train->size(), 60000);
  EXPECT_EQ(test->size(), 10000);
  EXPECT_EQ(image(*train, 0).sum().item<int64_t>(), 27525);
  EXPECT_EQ(image(*test, 0).sum().item<int64_t>(), 18454);
  const Batch batch = read_batch(*train, 0, 10);
  EXPECT_TRUE(torch::equal(batch.label, torch::tensor({5, 0, 4, 1, 9, 2, 1, 3, 1, 4}, torch::kLong)));
  EXPECT_NEAR(batch.x[0].mean().item<double>(), 27525.0 / 784 / 255, 1e-6);
}

}  // namespace
}  // namespace gen
