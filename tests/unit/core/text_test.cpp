#include "gen/core/text.h"

#include <gtest/gtest.h>

namespace gen {
namespace {

TEST(Printable, KeepsLettersOfEveryScriptAndLineBreaks) {
  const std::string text = "a\tb\nGrüße, 日本語, 👍";
  EXPECT_EQ(printable(text), text);
}

TEST(Printable, EscapesWhatATerminalWouldObey) {
  EXPECT_EQ(printable("\x1b]52;c;ZXZpbA==\x07"), "\\u001b]52;c;ZXZpbA==\\u0007");
  EXPECT_EQ(printable("a\rb\x7f" + std::string(1, '\0')), "a\\u000db\\u007f\\u0000");
  EXPECT_EQ(printable("\xc2\x9b"
                      "31m"),
            "\\u009b31m")
      << "C1: CSI in one code point";
}

TEST(Printable, EscapesWhatAReaderCannotSeeOrIsLedAstrayBy) {
  EXPECT_EQ(printable("a\u202eb\u2066c\u2028d\ufeff"), "a\\u202eb\\u2066c\\u2028d\\ufeff");
  EXPECT_EQ(printable("\U000e0041"), "\\udb40\\udc41");
}

TEST(Printable, WritesBytesThatAreNoUtf8InHex) {
  EXPECT_EQ(printable("\xff"
                      "a\xc3"),
            "\\xffa\\xc3");
  EXPECT_EQ(printable("\xc0\x9b"), "\\xc0\\x9b") << "overlong";
  EXPECT_EQ(printable("\xed\xa0\x80"), "\\xed\\xa0\\x80") << "a surrogate";
  EXPECT_EQ(printable("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80") << "beyond U+10FFFF";
}

TEST(PrintableLine, HasNoLineBreak) { EXPECT_EQ(printable_line("a\nb\tc"), "a\\nb\\tc"); }

TEST(FirstLetters, NeverCutALetter) {
  EXPECT_EQ(first_letters("größe", 3), "grö");
  EXPECT_EQ(first_letters("ab", 3), "ab");
}

}  // namespace
}  // namespace gen
