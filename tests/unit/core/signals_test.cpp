#include "gen/core/signals.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

namespace gen {
namespace {

// In a child process, since handlers belong to the whole process.
int exit_status_after(int signals_sent) {
  const pid_t child = fork();
  if (child == 0) {
    signals::install();
    for (int i = 0; i < signals_sent; ++i) raise(SIGTERM);
    _exit(signals::stop_requested() ? 10 : 11);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(Signals, TheFirstAsksToStop) { EXPECT_EQ(exit_status_after(1), 10); }
TEST(Signals, TheSecondLeavesAtOnce) { EXPECT_EQ(exit_status_after(2), 130); }
TEST(Signals, NoneMeansGoOn) { EXPECT_EQ(exit_status_after(0), 11); }

TEST(Signals, NamesTheSignal) {
  signals::request_stop();
  EXPECT_TRUE(signals::stop_requested());
  EXPECT_STREQ(signals::requested_by(), "SIGTERM");
  signals::reset();
  EXPECT_FALSE(signals::stop_requested());
}

}  // namespace
}  // namespace gen
