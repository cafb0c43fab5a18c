#include "gen/config/json_text.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "gen/core/error.h"

namespace gen {
namespace {

// The one mistake in a text.
std::string mistake_in(const std::string& text) {
  Issues issues;
  Json value;
  parse_json(text, "x.json", value, issues);
  return issues.empty() ? "none" : issues.lines().front();
}

std::string repeated(size_t count, const std::string& piece) {
  std::string text;
  for (size_t i = 0; i < count; ++i) text += piece;
  return text;
}

std::string object_of(size_t keys) {
  std::string text = "{";
  for (size_t i = 0; i < keys; ++i) text += fmt::format("{}\"k{}\":1", i == 0 ? "" : ",", i);
  return text + "}";
}

TEST(JsonText, ReadsWhatNlohmannReads) {
  const std::string text = R"({"b": [1, -2, 3.5, true, null, {}], "a": {"x": "é", "": []}})";
  Issues issues;
  Json value;
  ASSERT_TRUE(parse_json(text, "x.json", value, issues)) << issues.lines().front();
  EXPECT_EQ(value, Json::parse(text));
  EXPECT_EQ(value.dump(), Json::parse(text).dump()) << "the order of keys too";
}

TEST(JsonText, BoundsDepth) {
  const auto nested = [](size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_EQ(mistake_in(nested(kDeepestJson)), "none");
  EXPECT_EQ(mistake_in(nested(kDeepestJson + 1)), "x.json: nested deeper than 64 levels");
  EXPECT_EQ(mistake_in(std::string(2'000'000, '[')), "x.json: nested deeper than 64 levels");
  EXPECT_EQ(mistake_in(repeated(400'000, "{\"a\":")), "x.json: nested deeper than 64 levels");
}

TEST(JsonText, BoundsValues) {
  EXPECT_EQ(mistake_in("[" + repeated(kMostJsonValues, "0,") + "0]"), "x.json: more than 2097152 values");
}

// An index of a model with tens of thousands of tensors is read in time linear in its size.
TEST(JsonText, ReadsObjectsOfManyKeysAndBoundsThem) {
  EXPECT_EQ(mistake_in(object_of(100'000)), "none");
  EXPECT_EQ(mistake_in(object_of(kMostJsonKeys + 1)), "x.json: more than 262144 keys in one object");
}

TEST(JsonText, TellsDuplicatesAndNumbersThatDoNotFitInItsOwnWords) {
  EXPECT_EQ(mistake_in(R"({"a": {"b": 1, "b": 2}})"), "x.json: /a/b: the key is given twice (keep one)");
  EXPECT_EQ(mistake_in("{\n \"a\": 1e999}"),
            "x.json: not valid JSON at line 2, column 11: the number 1e999 does not fit a double");
}

TEST(JsonText, TellsSyntaxErrorsInItsOwnWords) {
  struct Case {
    const char *text, *told;
  };
  for (const auto& [text, told] : {
           Case{"", "at line 1, column 1: expected a value, got the end of the text"},
           Case{"{\"a\": [1, 2", "at line 1, column 12: expected \",\" or \"]\", got the end of the text"},
           Case{"{'a': 1}",
                "at line 1, column 2: expected a key in double quotes, got ' (texts take double quotes)"},
           Case{"{\"a\": 1,}",
                "at line 1, column 9: expected a key in double quotes, got } (after the last entry comes no "
                "comma)"},
           Case{"{\"a\" 1}", "at line 1, column 6: expected \":\" after the key, got a number"},
           Case{"{\"a\":1 \"b\":2}",
                "at line 1, column 10: expected \",\" or \"}\", got a text (is a comma missing before it?)"},
           Case{"[True]", "at line 1, column 2: expected a value, got T (is it true?)"},
           Case{"[NaN]", "at line 1, column 2: expected a value, got N (JSON has null and no NaN)"},
           Case{"[tru]", "at line 1, column 5: expected a value, got tru] (texts take double quotes)"},
           Case{"model: 1", "at line 1, column 1: expected a value, got m (is it JSON?)"},
           Case{"[1] x",
                "at line 1, column 5: expected nothing more after the value, got x (texts take double "
                "quotes)"},
           Case{"[1.]", "at line 1, column 4: expected a value, got a number that lacks a digit"},
           Case{"[\"\\q\"]",
                "at line 1, column 4: expected a value, got a backslash in a text with a letter that takes "
                "none (write "
                "\\\\ for a backslash)"},
           Case{"[\"a\n\"]",
                "at the end of line 1: expected a value, got a control character or a line break within a "
                "text (write "
                "\\n or \\u and four digits)"},
           Case{
               "[\"\xff\"]",
               "at line 1, column 3: expected a value, got a byte that is no UTF-8 (save the file as UTF-8)"},
       })
    EXPECT_EQ(mistake_in(text), std::string("x.json: not valid JSON ") + told) << text;
  EXPECT_NE(mistake_in(std::string("{\0\"\0a\0", 7)).find("UTF-16"), std::string::npos);
}

TEST(JsonText, AMillionMistakesAreNotToldAMillionTimes) {
  Issues issues;
  for (int i = 0; i < 1'000'000; ++i) issues.add("x.json", "wrong");
  EXPECT_EQ(issues.size(), 1'000'000U);
  try {
    issues.throw_if_any();
  } catch (const ConfigError& error) {
    EXPECT_LT(std::string(error.what()).size(), 10'000U);
    EXPECT_NE(std::string(error.what()).find("\n  ... and 999900 more mistakes"), std::string::npos);
  }
}

}  // namespace
}  // namespace gen
