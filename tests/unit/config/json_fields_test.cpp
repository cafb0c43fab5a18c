#include "gen/config/json_fields.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "gen/core/error.h"

namespace gen {
namespace {

std::string refused(const std::function<void()>& work) {
  try {
    work();
    return "nothing";
  } catch (const DataError& error) {
    return error.what();
  }
}

TEST(JsonFields, GiveValuesOfTheTypeAskedFor) {
  const Json json =
      Json::parse(R"({"a": {"n": 3, "x": 1, "worst": "-inf", "s": "t", "b": true, "list": [1, 2]}})");
  const JsonFields a = JsonFields(json, "x.json").object("a");
  EXPECT_EQ(a.get<int64_t>("n"), 3);
  EXPECT_EQ(a.get<double>("x"), 1.0);
  EXPECT_EQ(a.get<double>("worst"), -HUGE_VAL);
  EXPECT_EQ(a.get<std::string>("s"), "t");
  EXPECT_TRUE(a.get<bool>("b"));
  EXPECT_EQ(a.get<std::vector<int64_t>>("list"), (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(a.get_or<int64_t>("none", 7), 7);
}

TEST(JsonFields, NameTheFileAndTheFieldOfWhatIsWrong) {
  const Json json = Json::parse(R"({"a": {"n": "3", "big": 18446744073709551615, "list": [1, "x"]}})");
  const JsonFields fields(json, "x.json");
  const JsonFields a = fields.object("a");
  EXPECT_EQ(refused([&] { a.get<int64_t>("n"); }), "x.json: /a/n: expected an integer, got \"3\"");
  EXPECT_EQ(refused([&] { a.get<int64_t>("big"); }),
            "x.json: /a/big: expected an integer, got 18446744073709551615");
  EXPECT_EQ(refused([&] { a.get<std::vector<int64_t>>("list"); }),
            "x.json: /a/list: expected a list of integers, got [1,\"x\"]");
  EXPECT_EQ(refused([&] { a.get<bool>("none"); }), "x.json: /a/none: expected true or false, got nothing");
  EXPECT_EQ(refused([&] { fields.object("b"); }), "x.json: /b: expected an object {...}, got null");
  EXPECT_EQ(refused([] { JsonFields(Json::array(), "y.json"); }),
            "y.json: /: expected an object {...}, got []");
}

}  // namespace
}  // namespace gen
