#include "gen/config/load.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "support/support.h"

namespace gen {
namespace {

struct CircleOptions {
  double radius = 1;
  void visit(OptionVisitor& v) {
    v.field("radius", radius, "of the circle", {.min = 0, .exclusive_min = true});
  }
};
struct SquareOptions {
  int64_t side = 2;
  void visit(OptionVisitor& v) {
    v.field("side", side, "of the square", {.min = 1, .max = 10, .required = true});
  }
};

const Kind<double()>& figures() {
  static const auto kind = [] {
    Kind<double()> k("figure");
    k.add<CircleOptions>("circle", [](const CircleOptions& o) { return 3 * o.radius * o.radius; }, "round");
    k.add<SquareOptions>("square", [](const SquareOptions& o) { return double(o.side * o.side); }, "angular");
    return k;
  }();
  return kind;
}

struct Inner {
  std::vector<int64_t> sizes{1, 2};
  std::optional<double> rate;
  void visit(OptionVisitor& v) {
    v.field("sizes", sizes, "sizes", {.min = 1, .min_size = 1, .max_size = 3});
    v.field("rate", rate, "rate", {.min = 0, .max = 1});
  }
};

enum class Colour { red, green };

struct Outer {
  int64_t count = 3;
  double beta = 1;
  bool fast = false;
  std::string path;
  Colour colour = Colour::red;
  Inner inner;
  Component figure{"circle"};
  std::vector<Component> figures_list;
  void visit(OptionVisitor& v) {
    static constexpr std::array<std::pair<const char*, Colour>, 2> kColours{
        {{"red", Colour::red}, {"green", Colour::green}}};
    v.field("count", count, "how many", {.min = 1, .max = 100});
    v.field("beta", beta, "weight", {.min = 0});
    v.field("fast", fast, "hurry");
    v.field("path", path, "a file", {.existing_path = true});
    v.choice("colour", colour, kColours, "of the paint");
    v.section("inner", inner, "inner options");
    v.component("figure", figure, figures(), "what to draw");
    v.components("figures", figures_list, figures(), "more to draw");
    v.require(!(fast && count > 50), "count", "at most 50 where fast is on", std::to_string(count));
  }
};

std::vector<std::string> mistakes(const std::string& text, const LoadPolicy& policy = {}) {
  Issues issues;
  Outer options;
  load(Document::parse(text, "c.json", issues), options, issues, "", policy);
  return issues.lines();
}

using Lines = std::vector<std::string>;

TEST(Load, FillsEveryKindOfField) {
  Issues issues;
  Outer o;
  load(Document::parse(R"({"count": 7, "beta": 2, "fast": true, "colour": "green", // a comment
      "inner": {"sizes": [4, 5, 6], "rate": 0.5}, "figure": {"type": "square", "side": 4},
      "figures": [{"type": "circle"}, {"type": "circle", "radius": 2.5}] /* another */})",
                       "c.json", issues),
       o, issues);
  ASSERT_TRUE(issues.empty()) << issues.lines()[0];
  EXPECT_EQ(o.count, 7);
  EXPECT_EQ(o.beta, 2.0);
  EXPECT_TRUE(o.fast);
  EXPECT_EQ(o.colour, Colour::green);
  EXPECT_EQ(o.inner.sizes, (std::vector<int64_t>{4, 5, 6}));
  EXPECT_EQ(o.inner.rate, 0.5);
  EXPECT_EQ(figures().make(o.figure), 16.0);
  EXPECT_EQ(figures().make(o.figures_list[1]), 3 * 2.5 * 2.5);
}

TEST(Load, ReportsEveryMistakeAtOnceWithItsPointer) {
  EXPECT_EQ(
      mistakes(R"({"count": 3.7, "beta": -1, "fast": "true", "colour": "gren", "inner": {"sizes": [0, 1]}})"),
      (Lines{"c.json: /count: expected an integer in [1, 100], got 3.7",
             "c.json: /beta: expected a number >= 0, got -1",
             "c.json: /fast: expected true or false, got \"true\" (remove the quotes)",
             "c.json: /colour: expected one of red, green, got \"gren\" (did you mean \"green\"?)",
             "c.json: /inner/sizes/0: expected an integer >= 1, got 0"}));
}

TEST(Load, RefusesIntegersInOtherClothes) {
  EXPECT_EQ(mistakes(R"({"count": "64"})"),
            Lines{"c.json: /count: expected an integer in [1, 100], got \"64\" (remove the quotes)"});
  EXPECT_EQ(mistakes(R"({"count": 5.0})"),
            Lines{"c.json: /count: expected an integer in [1, 100], got 5.0 (write 5)"});
  EXPECT_EQ(mistakes(R"({"count": 18446744073709551615})").size(), 1U);
  EXPECT_EQ(mistakes(R"({"count": 101})").size(), 1U);
  EXPECT_EQ(mistakes(R"({"count": null})").size(), 1U);
}

TEST(Load, SaysHowToWriteANumberAsAString) {
  EXPECT_EQ(mistakes(R"({"path": 2024})"),
            Lines{"c.json: /path: expected a string, got 2024 (write \"2024\", with its quotes)"});
  EXPECT_EQ(mistakes(R"({"colour": 1})"), Lines{"c.json: /colour: expected one of red, green, got 1"});
}

TEST(Load, NamesUnknownKeysAndTheNearest) {
  EXPECT_EQ(mistakes(R"({"bata": 1, "inner": {"size": [1]}})"),
            (Lines{"c.json: /inner/size: unknown key (did you mean \"sizes\"?)",
                   "c.json: /bata: unknown key (did you mean \"beta\"?)"}));
  EXPECT_EQ(mistakes(R"({"figure": {"type": "circle", "side": 3}})"),
            Lines{"c.json: /figure/side: unknown key (there are: type, radius)"});
}

TEST(Load, ExplainsComponents) {
  EXPECT_EQ(
      mistakes(R"({"figure": {"type": "sqare"}})"),
      Lines{
          "c.json: /figure/type: expected one of circle, square, got \"sqare\" (did you mean \"square\"?)"});
  EXPECT_EQ(
      mistakes(R"({"figure": "circle"})"),
      Lines{"c.json: /figure: expected an object with a \"type\" (circle, square), got \"circle\" (write "
            "{\"type\": \"circle\"})"});
  EXPECT_EQ(mistakes(R"({"figure": {"type": "square"}})"),
            Lines{"c.json: /figure/side: expected an integer in [1, 10], got nothing (the key is required)"});
  EXPECT_TRUE(mistakes(R"({"figure": null})").empty());
  EXPECT_TRUE(mistakes(R"({"figure": {"radius": 2}})").empty()) << "the default type stays";
}

TEST(Load, ChecksListsAndConditionsBetweenFields) {
  EXPECT_EQ(mistakes(R"({"inner": {"sizes": []}})"),
            Lines{"c.json: /inner/sizes: expected a list of 1 to 3 integers >= 1, got []"});
  EXPECT_EQ(mistakes(R"({"fast": true, "count": 60})"),
            Lines{"c.json: /count: expected at most 50 where fast is on, got 60"});
  EXPECT_EQ(mistakes(R"({"fast": true, "count": 600})").size(), 1U)
      << "a field already wrong is not judged again";
}

TEST(Load, ChecksThatPathsExistUnlessTold) {
  EXPECT_EQ(mistakes(R"({"path": "/no/such/file"})").size(), 1U);
  EXPECT_TRUE(mistakes(R"({"path": "/no/such/file"})", {.check_paths = false}).empty());
  EXPECT_TRUE(mistakes(R"({"path": ""})").empty());
}

TEST(Load, AStringTakesWhatSetWasGivenLetterByLetter) {
  for (const char* text : {"2024", "1e3", "007", "true", "caf\xe9", "\"quoted\""}) {
    Issues issues;
    auto document = Document::parse("{}", "c.json", issues);
    document.set(std::string("path=") + text, issues);
    Outer o;
    load(document, o, issues, "", {.check_paths = false});
    ASSERT_TRUE(issues.empty()) << issues.lines()[0];
    EXPECT_EQ(o.path, std::string(text) == "\"quoted\"" ? "quoted" : text);
    Outer again;
    load(Document::from_json(dump(o), "d.json"), again, issues, "", {.check_paths = false});
    EXPECT_EQ(again.path, o.path) << dump(o).dump();
  }
  EXPECT_EQ(mistakes(R"({"path": 2024})").size(), 1U) << "in a file it is a number";
}

TEST(Load, ExpandsTheTildeOfAPath) {
  const char* home = std::getenv("HOME");
  if (home == nullptr || *home == '\0') GTEST_SKIP() << "needs $HOME, which is not set";
  Issues issues;
  Outer o;
  load(Document::parse(R"({"path": "~/x"})", "c.json", issues), o, issues, "", {.check_paths = false});
  EXPECT_EQ(o.path, std::string(home) + "/x");
}

TEST(Load, WarnsOfUnknownKeysInAConfigOfAnotherProgramAndRefusesThemInOurs) {
  constexpr const char* kText = R"({"_class_name": "X", "dual_cross_attention": false})";
  EXPECT_EQ(mistakes(kText).size(), 2U);
  testing::internal::CaptureStderr();
  EXPECT_TRUE(mistakes(kText, {.of_another_program = true}).empty());
  const auto said = testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("/dual_cross_attention: unknown key, not used"), std::string::npos) << said;
  EXPECT_EQ(said.find("_class_name"), std::string::npos) << said;
}

struct Lists {
  std::vector<int64_t> sizes;
  std::vector<Component> drawn;
  Component usual;
  void visit(OptionVisitor& v) {
    v.field("sizes", sizes, "sizes", {.min_size = 1});
    v.components("drawn", drawn, figures(), "what to draw", {.min_size = 1});
    v.component("usual", usual, figures(), "a circle, unless it says otherwise", {.usual_type = "circle"});
  }
};

TEST(Load, AListThatMayNotBeEmptyAndHasNoDefaultIsRequired) {
  Issues issues;
  Lists lists;
  load(Document::parse("{}", "c.json", issues), lists, issues);
  EXPECT_EQ(
      issues.lines(),
      (Lines{"c.json: /sizes: expected a list of at least 1 integers, got nothing (the key is required)",
             "c.json: /drawn: expected a list of figure components, got nothing (the key is required)"}));
  const auto rows = describe<Lists>();
  EXPECT_EQ(rows[0].fallback, "required");
  EXPECT_EQ(rows[1].fallback, "required");
  EXPECT_EQ(rows[2].fallback, "null");
}

TEST(Load, OptionsWithoutATypeAreThoseOfTheUsualOne) {
  Issues issues;
  Lists lists;
  load(Document::parse(R"({"sizes": [1], "drawn": [{"type": "circle"}], "usual": {"radius": 2}})", "c.json",
                       issues),
       lists, issues);
  ASSERT_TRUE(issues.empty()) << issues.lines()[0];
  EXPECT_EQ(figures().make(lists.usual), 12.0);
}

TEST(Dump, IsAFixedPoint) {
  Issues issues;
  Outer first;
  load(Document::parse(R"({"count": 9, "inner": {"rate": 0.1}, "figures": [{"type": "square", "side": 3}]})",
                       "c.json", issues),
       first, issues);
  const Json once = dump(first);
  Outer second;
  load(Document::from_json(once, "dumped"), second, issues);
  ASSERT_TRUE(issues.empty()) << issues.lines()[0];
  EXPECT_EQ(dump(second), once);
  EXPECT_EQ(once.at("inner").at("rate"), 0.1);
  EXPECT_EQ(once.at("figures").at(0).at("side"), 3);
}

TEST(Describe, GivesTypeDefaultRangeAndSentence) {
  const auto rows = describe<Outer>();
  ASSERT_EQ(rows.size(), 9U);
  EXPECT_EQ(rows[0].key, "count");
  EXPECT_EQ(rows[0].type, "integer");
  EXPECT_EQ(rows[0].fallback, "3");
  EXPECT_EQ(rows[0].range, "[1, 100]");
  EXPECT_EQ(rows[5].key, "inner.sizes");
  EXPECT_EQ(rows[7].type, "figure component");
}

}  // namespace
}  // namespace gen
