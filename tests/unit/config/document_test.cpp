#include "gen/config/document.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "gen/core/error.h"
#include "support/support.h"

namespace gen {
namespace {

class DocumentFiles : public testing::Test {
 protected:
  std::string file(const std::string& name, const std::string& text) {
    test::write_text(folder_ / name, text);
    return (folder_ / name).string();
  }
  test::TempDir folder_;
  Issues issues_;
};

TEST(Document, RefusesDuplicateKeysWithTheirPointer) {
  Issues issues;
  Document::parse(R"({"a": 1, "b": {"c": 1, "c": 2}, "d": [{"e": 1, "e": 1}]})", "c.json", issues);
  EXPECT_EQ(issues.lines(), (std::vector<std::string>{"c.json: /b/c: the key is given twice (keep one)",
                                                      "c.json: /d/0/e: the key is given twice (keep one)"}));
}

TEST(Document, GivesLineAndColumnOfASyntaxError) {
  Issues issues;
  Document::parse("{\n  \"a\": 1,\n  \"b\" 2\n}", "c.json", issues);
  ASSERT_EQ(issues.size(), 1U);
  EXPECT_NE(issues.lines()[0].find("c.json: not valid JSON at the end of line 3: expected"),
            std::string::npos)
      << issues.lines()[0];
}

TEST(Document, RefusesWhatIsNotAnObjectAndDeepNesting) {
  Issues issues;
  Document::parse("[1]", "c.json", issues);
  Document::parse(std::string(100'000, '['), "d.json", issues);
  Document::parse("", "e.json", issues);
  EXPECT_EQ(issues.size(), 3U);
}

TEST_F(DocumentFiles, ExtendsMergesObjectsAndNamesTheFileOfEachValue) {
  file("base.json", R"({"train": {"steps": 5, "lr": 1}, "model": {"type": "a", "width": 3}})");
  const auto path = file("top.json", R"({"extends": "base.json", "train": {"steps": 7}, "seed": 1})");
  const auto document = Document::read(path, issues_);
  ASSERT_TRUE(issues_.empty()) << issues_.lines()[0];
  EXPECT_EQ(
      document.root(),
      Json::parse(R"({"train": {"steps": 7, "lr": 1}, "model": {"type": "a", "width": 3}, "seed": 1})"));
  EXPECT_TRUE(document.where("/train/lr").starts_with((folder_ / "base.json").string()));
  EXPECT_TRUE(document.where("/train/steps").starts_with(path));
}

TEST_F(DocumentFiles, AnotherTypeReplacesTheOptionsOfTheFirst) {
  file("base.json", R"({"model": {"type": "a", "width": 3}})");
  const auto document =
      Document::read(file("top.json", R"({"extends": ["base.json"], "model": {"type": "b"}})"), issues_);
  EXPECT_EQ(document.root(), Json::parse(R"({"model": {"type": "b"}})"));
}

TEST_F(DocumentFiles, RefusesCyclesMissingFilesAndFolders) {
  file("a.json", R"({"extends": "b.json"})");
  Document::read(file("b.json", R"({"extends": "a.json"})"), issues_);
  ASSERT_EQ(issues_.size(), 1U);
  EXPECT_NE(issues_.lines()[0].find("extends itself"), std::string::npos);
  Document::read(folder_ / "none.json", issues_);
  EXPECT_NE(issues_.lines()[1].find("no such file"), std::string::npos);
  Document::read(folder_.path(), issues_);
  EXPECT_NE(issues_.lines()[2].find("expected a file, got a folder"), std::string::npos);
  Document::read(file("c.json", R"({"extends": "none.json"})"), issues_);
  EXPECT_NE(issues_.lines()[3].find("c.json: /extends: expected an existing file, got \"none.json\""),
            std::string::npos)
      << issues_.lines()[3];
}

TEST_F(DocumentFiles, BoundsTheChainOfWhatExtendsWhat) {
  for (int i = 0; i < 100; ++i)
    file(fmt::format("c{}.json", i), fmt::format(R"({{"extends": "c{}.json"}})", i + 1));
  file("c100.json", "{}");
  Document::read(folder_ / "c0.json", issues_);
  ASSERT_EQ(issues_.size(), 1U);
  EXPECT_NE(
      issues_.lines()[0].find("c32.json: the chain of \"extends\" that leads here is longer than 32 files"),
      std::string::npos)
      << issues_.lines()[0];
}

// 20 files that each extend the next twice would be read a million times.
TEST_F(DocumentFiles, BoundsHowOftenFilesAreExtended) {
  for (int i = 0; i < 20; ++i)
    file(fmt::format("e{}.json", i), fmt::format(R"({{"extends": ["e{0}.json", "e{0}.json"]}})", i + 1));
  file("e20.json", "{}");
  Document::read(folder_ / "e0.json", issues_);
  ASSERT_FALSE(issues_.empty());
  EXPECT_NE(issues_.lines()[0].find("more than 256 files are read by way of \"extends\""), std::string::npos)
      << issues_.lines()[0];
}

TEST_F(DocumentFiles, ManyKeysMergeInLinearTime) {
  std::string keys;
  for (int i = 0; i < 100'000; ++i) keys += fmt::format("\"k{}\": 1, ", i);
  file("base.json", "{" + keys + "\"end\": 1}");
  const auto document = Document::read(file("top.json", "{" + keys + "\"extends\": \"base.json\"}"), issues_);
  EXPECT_TRUE(issues_.empty());
  EXPECT_EQ(document.root().size(), 100'001U);
}

TEST_F(DocumentFiles, ADeviceWithoutEndIsReadNoFurtherThanTheBound) {
  Document::read("/dev/zero", issues_);
  ASSERT_EQ(issues_.size(), 1U);
  EXPECT_EQ(issues_.lines()[0],
            "/dev/zero: expected a config of at most 16777216 bytes, with what it extends");
}

TEST(DocumentSet, BoundsAValueAsAFile) {
  Document document;
  Issues issues;
  document.set("a=" + std::string(100'000, '[') + std::string(100'000, ']'), issues);
  ASSERT_EQ(issues.size(), 1U);
  EXPECT_NE(issues.lines()[0].find("nested deeper than 64 levels"), std::string::npos);
}

TEST(DocumentSet, MakesObjectsOnTheWayAndReadsJson) {
  Issues issues;
  auto document = Document::parse(R"({"list": [{"x": 1}]})", "c.json", issues);
  for (const char* each : {"train.steps=10", "name=hello", "list.0.x=2.5", "model.sizes=[1, 2]", "path=a=b"})
    document.set(each, issues);
  ASSERT_TRUE(issues.empty()) << issues.lines()[0];
  EXPECT_EQ(document.root(), Json::parse(R"({"list": [{"x": 2.5}], "train": {"steps": 10}, "name": "hello",
                                            "model": {"sizes": [1, 2]}, "path": "a=b"})"));
  EXPECT_EQ(document.where("/train/steps"), "--set train.steps: /train/steps");
}

TEST(DocumentSet, ANewTypeStartsFromItsOwnDefaults) {
  Issues issues;
  auto document = Document::parse(R"({"model": {"type": "a", "width": 3}})", "c.json", issues);
  document.set("model.type=b", issues);
  EXPECT_EQ(document.root(), Json::parse(R"({"model": {"type": "b"}})"));
}

TEST(DocumentSet, RefusesWhatHasNoKey) {
  Issues issues;
  Document document;
  for (const char* each : {"steps", "=1", "a..b=1", ".a=1", "a.=1"}) document.set(each, issues);
  EXPECT_EQ(issues.size(), 5U);
  auto list = Document::parse(R"({"a": [1]})", "c.json", issues);
  list.set("a.1=2", issues);
  EXPECT_EQ(issues.size(), 6U);
}

TEST(Issues, AreThrownTogether) {
  Issues issues;
  EXPECT_NO_THROW(issues.throw_if_any());
  issues.add("a.json: /x", "wrong");
  issues.add("", "also wrong");
  try {
    issues.throw_if_any();
    FAIL() << "no error";
  } catch (const ConfigError& e) {
    EXPECT_STREQ(e.what(), "a.json: /x: wrong\nalso wrong");
    EXPECT_EQ(e.code(), ExitCode::usage);
  }
}

}  // namespace
}  // namespace gen
