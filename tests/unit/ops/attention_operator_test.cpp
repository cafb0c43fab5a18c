// gen::flash_attention as Python sees it.
#include <cstdlib>

#include "support/support.h"

namespace gen {
namespace {

TEST(AttentionOperator, PassesTorchsOpcheckInPython) {
  const char* python = std::getenv("GEN_PEERS_PYTHON");
  const auto library = test::gen_binary().parent_path().parent_path() / "lib" / "libgen.so";
  const auto script = test::source_dir() / "tests/golden/attention/opcheck.py";
  const auto result =
      test::run_command({python != nullptr ? python : "python3", script.string(), library.string()});
  if (result.exit_code == 77)
    GTEST_SKIP() << "needs a Python with torch 2.11 (GEN_PEERS_PYTHON): " << result.out;
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
}

TEST(AttentionOperator, TheEnvironmentChoosesThePathAndANameItDoesNotKnowIsRefused) {
  const std::vector<std::string> dry_run{test::gen_binary().string(), "train", "--config",
                                         (test::source_dir() / "configs/diffusion/shapes.json").string(),
                                         "--dry-run"};
  const auto checked = test::run_command(dry_run, {"GEN_ATTENTION=check"});
  EXPECT_EQ(checked.exit_code, 0) << checked.err;
  EXPECT_NE(checked.err.find("fused differs from reference by at most"), std::string::npos) << checked.err;
  const auto refused = test::run_command(dry_run, {"GEN_ATTENTION=fast"});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_NE(refused.err.find("GEN_ATTENTION: expected auto, fused, sdpa, reference or check, got \"fast\""),
            std::string::npos)
      << refused.err;
}

}  // namespace
}  // namespace gen
