#include "data/cifar10/cifar10.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "gen/core/error.h"
#include "gen/data/loader.h"
#include "support/data_files.h"
#include "support/support.h"

namespace gen {
namespace {

struct Cifar10 : testing::Test {
  Cifar10() {
    test::write_cifar(folder.path(), 4);
    options.path = folder.path().string();
  }
  std::string error(Split split = Split::train) const {
    try {
      make_cifar10(options, split);
    } catch (const DataError& what) {
      return what.what();
    }
    return "";
  }
  test::TempDir folder;
  Cifar10Options options;
};

TEST_F(Cifar10, ReadsTheBatchesInOrderAndHoldsOutSome) {
  const Batch batch = read_batch(*make_cifar10(options, Split::train), 14, 6);
  EXPECT_EQ(batch.label[0].item<int64_t>(), 4);
  for (int channel = 0; channel < 3; ++channel)
    EXPECT_FLOAT_EQ(batch.x[0][channel].min().item<float>(), static_cast<float>(14 + channel) / 255.0F);
  options.validation = 6;
  EXPECT_EQ(make_cifar10(options, Split::train)->size(), 14);
  EXPECT_EQ(make_cifar10(options, Split::validation)->size(), 6);
  EXPECT_EQ(make_cifar10(options, Split::test)->size(), 4);
}

TEST_F(Cifar10, FindsTheFolderOfTheArchiveBelowThePath) {
  std::filesystem::create_directory(folder / "cifar-10-batches-bin");
  test::write_cifar(folder / "cifar-10-batches-bin", 2);
  EXPECT_EQ(make_cifar10(options, Split::train)->size(), 10);
}

TEST_F(Cifar10, FlipsTrainingImagesOnly) {
  std::string records = test::cifar_records(0, 1);
  records[1] = '\xff';  // the top left red pixel of the first image
  for (const char* name : {"data_batch_1.bin", "test_batch.bin"}) test::write_text(folder / name, records);
  options.random_flip = true;
  const auto train = make_cifar10(options, Split::train), test = make_cifar10(options, Split::test);
  int flipped = 0;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    HostRng rng(seed);
    const auto x = train->get(0, &rng).x;
    const bool left = x[0][0][0].item<int>() == 255, right = x[0][0][31].item<int>() == 255;
    ASSERT_NE(left, right);
    flipped += right;
    EXPECT_EQ(test->get(0, &rng).x[0][0][0].item<int>(), 255);
  }
  EXPECT_NEAR(flipped, 50, 20);
}

TEST_F(Cifar10, RefusesPartsOfRecordsBadLabelsAndMissingFiles) {
  test::write_text(folder / "data_batch_2.bin", test::cifar_records(0, 2) + "x");
  EXPECT_NE(error().find("data_batch_2.bin: expected whole records of 3073 bytes, got 6147"),
            std::string::npos);
  std::string records = test::cifar_records(0, 2);
  records[3073] = 10;
  test::write_text(folder / "data_batch_2.bin", records);
  EXPECT_NE(error().find("record 1: expected a label in [0, 9], got 10"), std::string::npos);
  std::filesystem::remove(folder / "data_batch_2.bin");
  test::write_text(folder / "cifar-10-python.tar.gz", "x");
  EXPECT_NE(error().find("no data_batch_2.bin"), std::string::npos);
  EXPECT_NE(error().find("fetch the binary version"), std::string::npos) << error();
  EXPECT_EQ(error(Split::test), "");
  EXPECT_THROW(make_cifar10({}, Split::train), ConfigError);
}

}  // namespace
}  // namespace gen
