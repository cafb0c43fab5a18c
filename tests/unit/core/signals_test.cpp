#include "gen/core/signals.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <vector>

namespace gen {
namespace {

// In a child process, since handlers belong to the whole process.
int exit_status_after(const std::vector<int>& sent, bool saves = true, int ignored = 0) {
  const pid_t child = fork();
  if (child == 0) {
    if (ignored != 0) std::signal(ignored, SIG_IGN);
    signals::install();
    if (saves) signals::ask_first();
    for (const int signal : sent) raise(signal);
    _exit(signals::stop_requested() ? 10 : 11);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(Signals, TheFirstOfAnyKindAsksToStop) {
  for (const int signal : {SIGINT, SIGTERM, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGXCPU})
    EXPECT_EQ(exit_status_after({signal}), 10) << strsignal(signal);
}
TEST(Signals, TheSecondLeavesAtOnce) { EXPECT_EQ(exit_status_after({SIGHUP, SIGTERM}), 130); }
TEST(Signals, WhatTheSystemRepeatsIsNoSecond) {
  EXPECT_EQ(exit_status_after({SIGHUP, SIGHUP, SIGXCPU, SIGXCPU}), 10);
}
TEST(Signals, WithNothingToSaveTheFirstLeavesAtOnce) {
  EXPECT_EQ(exit_status_after({SIGINT}, /*saves=*/false), 130);
}
TEST(Signals, NoneMeansGoOn) { EXPECT_EQ(exit_status_after({}), 11); }
TEST(Signals, AnInheritedIgnoreStays) {
  EXPECT_EQ(exit_status_after({SIGHUP}, true, SIGHUP), 11);
  EXPECT_EQ(exit_status_after({SIGHUP}, false, SIGHUP), 11);
}
// The background of a shell script ignores it unasked, and `kill -INT` is to work there.
TEST(Signals, SigintIsHeardInTheBackgroundOfAScript) {
  EXPECT_EQ(exit_status_after({SIGINT}, true, SIGINT), 10);
}

TEST(Signals, NamesTheSignal) {
  signals::request_stop();
  EXPECT_TRUE(signals::stop_requested());
  EXPECT_STREQ(signals::requested_by(), "SIGTERM");
  signals::reset();
  EXPECT_FALSE(signals::stop_requested());
}

}  // namespace
}  // namespace gen
