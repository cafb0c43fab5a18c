#include "gen/config/option_error.h"

#include <gtest/gtest.h>

#include <memory>

namespace gen {
namespace {

std::shared_ptr<int> fails_twice() {
  throw OptionError(
      std::vector<OptionMistake>{{"/width", "expected 3, got 4"}, {"/depth", "expected 1, got 2"}});
}

TEST(OptionError, EveryPlaceOnTheWayIsInThePointer) {
  try {
    made_within("/model", [] { return made_within("/network", [] { return fails_twice(); }); });
    FAIL();
  } catch (const OptionError& error) {
    EXPECT_STREQ(error.what(),
                 "/model/network/width: expected 3, got 4\n/model/network/depth: expected 1, got 2");
  }
}

TEST(OptionMistakes, GatherWhatOthersThrowAndGoOn) {
  OptionMistakes mistakes;
  EXPECT_TRUE(mistakes.gather("/a", [] {}));
  mistakes.throw_if_any();
  EXPECT_FALSE(mistakes.gather("/a", [] { fails_twice(); }));
  EXPECT_FALSE(mistakes.gather("/b", [] { throw ConfigError("expected another"); }));
  mistakes.add("/c", "expected 0");
  EXPECT_THROW(mistakes.gather("/d", [] { throw DataError("torn"); }), DataError);
  try {
    mistakes.throw_if_any();
    FAIL();
  } catch (const OptionError& error) {
    EXPECT_STREQ(
        error.what(),
        "/a/width: expected 3, got 4\n/a/depth: expected 1, got 2\n/b: expected another\n/c: expected 0");
  }
}

}  // namespace
}  // namespace gen
