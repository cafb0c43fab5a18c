#include "gen/core/home.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace gen {
namespace {

TEST(ExpandHome, DoesWhatAShellDoesWithALeadingTilde) {
  const char* before = std::getenv("HOME");
  const std::string home = before == nullptr ? "" : before;
  ASSERT_EQ(setenv("HOME", "/home/someone", 1), 0);
  EXPECT_EQ(expand_home("~"), "/home/someone");
  EXPECT_EQ(expand_home("~/data/mnist"), "/home/someone/data/mnist");
  for (const char* path : {"", "a/~/b", "~other/x", "./~", "/a"}) EXPECT_EQ(expand_home(path), path);
  if (before != nullptr) setenv("HOME", home.c_str(), 1);
}

}  // namespace
}  // namespace gen
