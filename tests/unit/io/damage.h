// Damaged copies of a file, and work done in a process that may die.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>
#include <string>

#include "gen/core/rng.h"

namespace gen::test {

/// Calls `use` with `count` copies of `whole`: half with one to four bits flipped, half cut short.
inline void for_each_damage(const std::string& whole, int count,
                            const std::function<void(const std::string&)>& use) {
  HostRng rng(20);
  for (int i = 0; i < count; ++i) {
    std::string bytes = whole;
    if (i % 2 == 0) {
      for (uint64_t flips = 1 + rng.below(4); flips > 0; --flips)
        bytes[rng.below(bytes.size())] ^= static_cast<char>(1 << rng.below(8));
    } else {
      bytes.resize(rng.below(bytes.size()));
    }
    use(bytes);
  }
}

/// Runs `work` in a forked child and gives its exit code: what `work` returns, or 128 + signal.
inline int in_child(const std::function<int()>& work) {
  const pid_t child = fork();
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    int code = 99;
    try {
      code = work();
    } catch (...) {
    }
    _exit(code);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace gen::test
