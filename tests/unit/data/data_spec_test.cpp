#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "gen/core/error.h"
#include "gen/data/dataset.h"

namespace gen {
namespace {

TEST(DataSpec, RefusesJsonThatMakesNoSense) {
  const DataSpec spec{.shape = {3, 8, 8}, .num_classes = 2, .class_names = {"a", "b"}};
  EXPECT_EQ(data_spec_from_json({to_json(spec), "run.json"}), spec);
  EXPECT_EQ(spec.dims(), 192);
  for (const auto& [key, value] : std::vector<std::pair<std::string, Json>>{{"kind", "sounds"},
                                                                            {"shape", {3, 8}},
                                                                            {"shape", {3, 0, 8}},
                                                                            {"num_classes", -1},
                                                                            {"num_classes", 3},
                                                                            {"class_names", "a"},
                                                                            {"levels", 1}}) {
    Json json = to_json(spec);
    json[key] = value;
    EXPECT_THROW(data_spec_from_json({json, "run.json"}), DataError) << key << " = " << value;
    json.erase(key);
    EXPECT_THROW(data_spec_from_json({json, "run.json"}), DataError) << "without " << key;
  }
}

TEST(DataSpec, OfARunThatKnewNoPaddingHasNone) {
  DataSpec spec;
  spec.shape = {1, 8, 8};
  Json json = to_json(spec);
  json.erase("padding");
  EXPECT_EQ(data_spec_from_json({json, "run.json"}).padding, 0);
  json["padding"] = 64;
  EXPECT_THROW(data_spec_from_json({json, "run.json"}), DataError);
}

TEST(Batch, MovesItsTensorsAndKeepsTheRest) {
  const Batch batch{at::zeros({2, 1}), at::ones({2}, at::kLong), {"a", "b"}, {4, 5}, Split::test, {}};
  const Batch moved = batch.to(at::kCPU);
  EXPECT_EQ(moved.captions, batch.captions);
  EXPECT_EQ(moved.indices, batch.indices);
  EXPECT_EQ(moved.split, Split::test);
  EXPECT_EQ(moved.size(), 2);
  EXPECT_EQ(Batch{}.to(at::kCPU).size(), 0);
}

}  // namespace
}  // namespace gen
