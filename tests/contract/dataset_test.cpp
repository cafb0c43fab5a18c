// What holds for every registered data set. A type without an entry in fixtures() fails.
#include "gen/data/dataset.h"
#include "gen/core/error.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <nlohmann/json.hpp>
#include <set>

#include "gen/config/load.h"
#include "gen/data/loader.h"
#include "gen/io/image.h"
#include "support/data_files.h"
#include "support/support.h"

namespace gen {
namespace {

/// Options with which a type works on files that `prepare` writes; its splits share no example.
struct Fixture {
  Json options;
  std::function<void(const std::filesystem::path&)> prepare = [](const auto&) {};
};

void write_images(const std::filesystem::path& folder) {
  for (int i = 0; i < 40; ++i) {
    const auto side = folder / (i % 2 ? "odd" : "even");
    std::filesystem::create_directories(side);
    write_png(side / (std::to_string(i) + ".png"),
              Image{3, 2, 1, std::vector<uint8_t>(6, static_cast<uint8_t>(5 * i))});
  }
}

std::map<std::string, Fixture> fixtures() {
  const auto write_mnist = [](const auto& folder) { test::write_mnist_pair(folder, "train", 36); };
  return {{"shapes", {Json{{"size", 16}, {"num_examples", 30}, {"num_held_out", 10}}}},
          {"toy2d", {Json{{"name", "rings"}, {"num_examples", 30}, {"num_held_out", 10}}}},
          {"mnist", {Json{{"path", "FOLDER"}, {"validation", 6}, {"test", 5}}, write_mnist}},
          {"cifar10",
           {Json{{"path", "FOLDER"}, {"validation", 6}, {"random_flip", true}},
            [](const auto& folder) { test::write_cifar(folder, 6); }}},
          {"image_folder",
           {Json{{"path", "FOLDER"},
                 {"size", 6},
                 {"crop", "random"},
                 {"random_flip", true},
                 {"validation_fraction", 0.2},
                 {"test_fraction", 0.2}},
            write_images}}};
}

class DatasetContract : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    const auto all = fixtures();
    ASSERT_TRUE(all.contains(GetParam())) << "give data type " << GetParam() << " an entry in fixtures()";
    Fixture fixture = all.at(GetParam());
    fixture.prepare(folder_.path());
    if (fixture.options.contains("path")) fixture.options["path"] = folder_.path().string();
    component_ = Component(GetParam());
    datasets().resolve(component_);
    Issues issues;
    load_options(
        Document::from_json(fixture.options, "fixture"), "",
        [&](OptionVisitor& v) { component_.options->visit(v); }, issues);
    issues.throw_if_any();
  }
  std::shared_ptr<const Dataset> make(Split split = Split::train) const {
    return datasets().make(component_, split);
  }

  test::TempDir folder_;
  Component component_;
};

TEST_P(DatasetContract, ExamplesAreAsTheSpecSays) {
  for (const Split split : {Split::train, Split::validation, Split::test}) {
    const auto data = make(split);
    const DataSpec& spec = data->spec();
    ASSERT_GT(data->size(), 0);
    EXPECT_TRUE(spec == make(Split::train)->spec());
    EXPECT_EQ(data->split(), split);
    HostRng rng(1);
    for (int64_t i = 0; i < data->size(); ++i) {
      const Example example = data->get(i, &rng);
      EXPECT_EQ(example.x.sizes(), spec.shape);
      EXPECT_EQ(example.x.scalar_type(), spec.kind == DataKind::images ? at::kByte : at::kFloat);
      EXPECT_TRUE(example.x.is_contiguous());
      EXPECT_GE(example.label, spec.num_classes > 0 ? 0 : -1);
      EXPECT_LT(example.label, std::max<int64_t>(spec.num_classes, 1));
      EXPECT_EQ(!example.caption.empty(), spec.captions);
    }
  }
}

TEST_P(DatasetContract, SpecSurvivesJson) {
  const DataSpec spec = make()->spec();
  EXPECT_TRUE(data_spec_from_json({Json::parse(to_json(spec).dump()), "run.json"}) == spec);
}

TEST_P(DatasetContract, BatchesAreModelReady) {
  const auto data = make();
  const Batch batch = read_batch(*data, 1, 7);
  EXPECT_EQ(batch.size(), 7);
  EXPECT_EQ(batch.x.scalar_type(), at::kFloat);
  EXPECT_TRUE(batch.x.isfinite().all().item<bool>());
  EXPECT_EQ(batch.label.defined(), data->spec().num_classes > 0);
  EXPECT_EQ(batch.captions.size(), data->spec().captions ? 7U : 0U);
  EXPECT_EQ(batch.indices.front(), 1);
  if (data->spec().kind == DataKind::images) {
    EXPECT_GE(batch.x.min().item<double>(), 0);
    EXPECT_LE(batch.x.max().item<double>(), 1);
    EXPECT_LT((batch.x * 255 - (batch.x * 255).round()).abs().max().item<double>(), 1e-4);
  }
}

TEST_P(DatasetContract, EvaluationDoesNotAugmentWhicheverTheSplit) {
  for (const Split split : {Split::train, Split::validation, Split::test}) {
    const auto data = make(split);
    for (int64_t i = 0; i < data->size(); ++i) {
      const auto plain = data->get(i, nullptr).x;
      EXPECT_TRUE(torch::equal(data->get(i, nullptr).x, plain));
      EXPECT_TRUE(
          torch::equal(read_batch(*data, i, 1).x[0].mul(255).round().to(at::kLong),
                       plain.mul(data->spec().kind == DataKind::images ? 1 : 255).round().to(at::kLong)));
      HostRng rng(static_cast<uint64_t>(i));
      if (split != Split::train) {
        EXPECT_TRUE(torch::equal(data->get(i, &rng).x, plain));
      }
    }
  }
}

TEST_P(DatasetContract, OrderIsAFunctionOfThePosition) {
  constexpr int64_t kBatches = 12;
  std::vector<Batch> expected;
  Loader reference(make(), {.batch_size = 7, .workers = 0, .seed = 3});
  for (int64_t i = 0; i < kBatches; ++i) expected.push_back(reference.next());
  for (const int64_t workers : {1, 3})
    for (const int64_t start : {0, 5}) {
      Loader loader(make(), {.batch_size = 7, .workers = workers, .seed = 3}, start);
      for (int64_t i = start; i < kBatches; ++i) {
        const Batch batch = loader.next();
        const Batch& same = expected[static_cast<size_t>(i)];
        EXPECT_EQ(batch.indices, same.indices);
        EXPECT_TRUE(torch::equal(batch.x, same.x));
        EXPECT_EQ(batch.captions, same.captions);
        if (batch.label.defined()) {
          EXPECT_TRUE(torch::equal(batch.label, same.label));
        }
      }
    }
  Loader other(make(), {.batch_size = 7, .seed = 4});
  EXPECT_NE(other.next().indices, expected[0].indices);
}

TEST_P(DatasetContract, SplitsShareNoExample) {
  std::set<std::string> seen;
  int64_t total = 0;
  for (const Split split : {Split::train, Split::validation, Split::test}) {
    const auto data = make(split);
    total += data->size();
    const auto x = read_batch(*data, 0, data->size()).x;
    for (int64_t i = 0; i < data->size(); ++i) {
      // A mirrored or shifted crop counts as the same picture: compare what such changes keep.
      const auto values = std::get<0>(x[i].flatten().sort()).contiguous();
      seen.insert(std::string(reinterpret_cast<const char*>(values.data_ptr<float>()),
                              static_cast<size_t>(values.numel()) * sizeof(float)));
    }
  }
  EXPECT_EQ(static_cast<int64_t>(seen.size()), total);
}

TEST_P(DatasetContract, ResolvesWithoutItsFilesAndThenAsksForThem) {
  Component component(GetParam());
  datasets().resolve(component);
  const Json dumped = dump(component);
  EXPECT_EQ(dumped["type"], GetParam());
  EXPECT_EQ(dumped.contains("path"), dumped.contains("on_error") && dumped.contains("max_skipped"))
      << "what comes from files may hold an example that cannot be read (BadExampleOptions)";
  if (!dumped.contains("path")) return;
  try {
    datasets().make(component, Split::train);
    FAIL() << "made from no path";
  } catch (const ConfigError& error) {
    EXPECT_NE(std::string(error.what()).find("--set data.path"), std::string::npos);
  }
}

INSTANTIATE_TEST_SUITE_P(Registered, DatasetContract, testing::ValuesIn(datasets().types()),
                         [](const auto& each) { return each.param; });

}  // namespace
}  // namespace gen
