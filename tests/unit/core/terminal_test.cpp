#include "gen/core/terminal.h"

#include <gtest/gtest.h>
#include <pty.h>
#include <unistd.h>

namespace gen {
namespace {

// A terminal of 20 columns in the place of stderr.
class Terminal : public ::testing::Test {
 protected:
  void SetUp() override {
    winsize size{};
    size.ws_row = 5, size.ws_col = 20;
    int file = -1;
    ASSERT_EQ(openpty(&screen_, &file, nullptr, nullptr, &size), 0);
    kept_ = dup(STDERR_FILENO);
    dup2(file, STDERR_FILENO);
    close(file);
  }
  void TearDown() override {
    dup2(kept_, STDERR_FILENO);
    close(kept_);
    close(screen_);
  }
  std::string seen() const {
    std::string text(256, '\0');
    const auto count = read(screen_, text.data(), text.size());
    text.resize(static_cast<size_t>(std::max<ssize_t>(0, count)));
    return text;
  }

 private:
  int screen_ = -1, kept_ = -1;
};

TEST_F(Terminal, KnowsItsColumns) { EXPECT_EQ(terminal_columns(STDERR_FILENO), 20); }

TEST(TerminalColumns, OfAFileAreNone) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  EXPECT_EQ(terminal_columns(ends[1]), 0);
  close(ends[0]), close(ends[1]);
}

TEST_F(Terminal, ALineIsCutToFitAndErased) {
  TerminalLine line;
  line.show("0123456789abcdefghijklmno");
  EXPECT_EQ(seen(), "\r\x1b[K0123456789abcdefghi");
  line.clear();
  EXPECT_EQ(seen(), "\r\x1b[K");
}

}  // namespace
}  // namespace gen
