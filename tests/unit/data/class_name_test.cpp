#include "gen/data/class_name.h"

#include <gtest/gtest.h>

#include "gen/core/error.h"

namespace gen {
namespace {

DataSpec spec_of_classes(std::vector<std::string> names, int64_t count = 0) {
  DataSpec spec;
  spec.num_classes = names.empty() ? count : static_cast<int64_t>(names.size());
  spec.class_names = std::move(names);
  return spec;
}

std::string refused_class(const std::string& label, const DataSpec& spec) {
  try {
    class_named(label, spec, "--label");
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

TEST(ClassNamed, TakesNamesFirstAndPlacesWhereNamesAreWords) {
  const auto words = spec_of_classes({"cat", "dog"});
  EXPECT_EQ(class_named("dog", words, ""), 1);
  EXPECT_EQ(class_named("0", words, ""), 0);
  EXPECT_EQ(class_named("2", spec_of_classes({}, 3), ""), 2);
  EXPECT_EQ(refused_class("dg", words),
            "--label: expected a class in [0, 1] or one of cat, dog, got \"dg\" (did you mean \"dog\"?)");
  for (const char* label : {"", "2", "-1", "00", "1.0", " 1"})
    EXPECT_NE(refused_class(label, words), "") << label;
}

// Folders "1", "10", "2" are classes 0, 1 and 2: label 0 is none of them, and label 2 is the folder of that name.
TEST(ClassNamed, ANumberIsANameWhereNamesAreNumbers) {
  const auto numbers = spec_of_classes({"1", "10", "2"});
  EXPECT_EQ(class_named("2", numbers, ""), 2);
  EXPECT_EQ(class_named("10", numbers, ""), 1);
  EXPECT_EQ(refused_class("0", numbers), "--label: expected one of the classes' names, 1, 10, 2, got \"0\"");
}

TEST(ClassNamed, ANameThatIsNoUtf8IsFoundAsItIsShown) {
  const auto spec = spec_of_classes({"caf\\xe9", "tea"});
  EXPECT_EQ(class_named("caf\xe9", spec, ""), 0);
  EXPECT_EQ(class_named("caf\\xe9", spec, ""), 0);
}

}  // namespace
}  // namespace gen
