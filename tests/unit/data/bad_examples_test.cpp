#include "gen/data/bad_examples.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <set>

#include "data/cifar10/cifar10.h"
#include "data/mnist/mnist.h"
#include "gen/data/loader.h"
#include "support/data_files.h"
#include "support/partly_bad.h"
#include "support/support.h"

namespace gen {
namespace {

at::Tensor index_and_draw(int64_t index, HostRng* augmentation) {
  const double draw = augmentation ? augmentation->uniform() : 0;
  return at::tensor({static_cast<float>(index), static_cast<float>(draw)});
}

std::shared_ptr<test::PartlyBad> partly_bad(std::set<int64_t> bad, int64_t max_skipped = 100) {
  return std::make_shared<test::PartlyBad>(12, index_and_draw, std::move(bad),
                                           BadExampleOptions{OnError::skip, max_skipped});
}

TEST(BadExamples, TheNextReadableOneTakesThePlaceWhateverTheWorkers) {
  const auto data = partly_bad({3, 4, 11});
  std::vector<Batch> expected;
  for (const int64_t workers : {0, 1, 3})
    for (const int64_t start : {0, 2}) {
      Loader loader(data, {.batch_size = 4, .shuffle = false, .workers = workers}, start);
      for (int64_t p = start; p < 6; ++p) {
        const Batch batch = loader.next();
        if (workers == 0 && start == 0) expected.push_back(batch);
        const Batch& same = expected[static_cast<size_t>(p)];
        EXPECT_TRUE(torch::equal(batch.x, same.x)) << "batch " << p << " of " << workers << " workers";
        EXPECT_EQ(batch.indices, same.indices);
        EXPECT_EQ(batch.skipped.size(), same.skipped.size());
      }
    }
  EXPECT_EQ(expected[0].indices, (std::vector<int64_t>{0, 1, 2, 5}));
  EXPECT_EQ(expected[1].indices, (std::vector<int64_t>{5, 5, 6, 7}));
  EXPECT_EQ(expected[2].indices, (std::vector<int64_t>{8, 9, 10, 0}));
  ASSERT_EQ(expected[0].skipped.size(), 2U);
  EXPECT_EQ(expected[0].skipped[1].index, 4);
  EXPECT_EQ(expected[0].skipped[1].what, "4.png: truncated");
}

TEST(BadExamples, ScoresLeaveThemOut) {
  const auto data = partly_bad({1, 2});
  const Batch batch = read_batch(*data, 0, 4);
  EXPECT_EQ(batch.indices, (std::vector<int64_t>{0, 3}));
  EXPECT_EQ(batch.x.sizes(), (std::vector<int64_t>{2, 2}));
  EXPECT_TRUE(torch::equal(batch.x[1], read_batch(*data, 3, 1).x[0]));
  EXPECT_EQ(read_batch(*data, 1, 2).size(), 0);
}

TEST(BadExamples, AreAnErrorThatNamesTheExampleUnlessToldOtherwise) {
  const test::PartlyBad data(12, index_and_draw, {5});
  try {
    read_batch(data, 4, 4);
    FAIL() << "a bad example went through";
  } catch (const ExampleError& error) {
    EXPECT_EQ(error.index, 5);
    EXPECT_EQ(error.code(), ExitCode::data);
  }
}

TEST(BadExamples, ADataSetOfNothingElseIsAnError) {
  std::set<int64_t> all;
  for (int64_t i = 0; i < 12; ++i) all.insert(i);
  for (const int64_t budget : {5, 100}) {
    Loader loader(partly_bad(all, budget), {.batch_size = 4});
    EXPECT_THROW(loader.next(), ExampleError);
  }
}

TEST(BadExamples, EachCountsOnceAgainstTheBudget) {
  SkippedExamples skipped({OnError::skip, 2});
  EXPECT_EQ(skipped.add({{3, "a"}, {4, "b"}, {3, "a"}}).size(), 2U);
  EXPECT_EQ(skipped.add({{4, "b"}}).size(), 0U);
  try {
    skipped.add({{5, "c"}});
    FAIL() << "a third one of two went through";
  } catch (const ExampleError& error) {
    EXPECT_STREQ(error.what(), "c (data.max_skipped of 2 such examples is spent)");
  }
}

TEST(BadExamples, AreAllFoundInOnePass) {
  int64_t done = 0;
  const auto found = find_bad_examples(test::PartlyBad(600, index_and_draw, {7, 300, 599}),
                                       [&](int64_t n, std::span<const BadExample>) { done = n; });
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found[1].index, 300);
  EXPECT_EQ(done, 600);
}

TEST(BadExamples, WrongRecordsOfFilesThatAreReadAtOnceAreToldTogetherOrPassedOver) {
  const test::TempDir folder;
  test::write_mnist_pair(folder.path(), "train", 12);
  MnistOptions options;
  options.path = folder.path().string();
  options.num_classes = 8;  // the labels go up to 9
  try {
    make_mnist(options, Split::train);
    FAIL() << "labels beyond the classes went through";
  } catch (const DataError& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("record 8: expected a label in [0, 7], got 8"), std::string::npos) << text;
    EXPECT_NE(text.find("record 9: expected a label in [0, 7], got 9"), std::string::npos) << text;
  }
  options.bad_examples.on_error = OnError::skip;
  const auto data = make_mnist(options, Split::train);
  EXPECT_EQ(data->size(), 12);
  EXPECT_EQ(read_batch(*data, 6, 4).indices, (std::vector<int64_t>{6, 7}));

  test::write_cifar(folder.path(), 2);
  std::string records = test::cifar_records(0, 2);
  records[3073] = 10;
  test::write_text(folder / "data_batch_2.bin", records);
  Cifar10Options cifar;
  cifar.path = folder.path().string();
  EXPECT_THROW(make_cifar10(cifar, Split::train), DataError);
  cifar.bad_examples.on_error = OnError::skip;
  EXPECT_EQ(read_batch(*make_cifar10(cifar, Split::train), 2, 2).skipped.front().index, 3);
}

}  // namespace
}  // namespace gen
