#include "gen/core/quote.h"

#include <gtest/gtest.h>

#include "gen/core/text.h"
#include "support/support.h"

namespace gen {
namespace {

TEST(ShellQuote, LeavesPlainWordsAlone) {
  EXPECT_EQ(shell_quote("runs/vae-shapes"), "runs/vae-shapes");
  EXPECT_EQ(shell_quote("train.optimizer.lr=1e-4"), "train.optimizer.lr=1e-4");
}

TEST(ShellQuote, AShellReadsTheWordAgain) {
  for (const std::string word : {"my run", "a$(touch pwned)b", "it's", "`x`", "a\\b", "~/x", "", "*?[", "\"",
                                 "a\nb\x1b[31m'c\\", "{\"a\": 1}", "ü", "\xff'\\", "\u202e1"}) {
    const auto said = test::run_command({"bash", "-c", "printf %s " + shell_quote(word)});
    EXPECT_EQ(said.out, word) << shell_quote(word);
    EXPECT_EQ(printable_line(shell_quote(word)), shell_quote(word));
  }
}

TEST(ShellQuote, APathIsNoFlag) { EXPECT_EQ(shell_quote_path("-x y"), "'./-x y'"); }

}  // namespace
}  // namespace gen
