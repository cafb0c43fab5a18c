// The real binary while it runs.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/own_words.h"
#include "support/support.h"

namespace gen::test {

// A running `gen`, with its output in a file.
class Process {
 public:
  Process(std::vector<std::string> arguments, const std::filesystem::path& log) : log_(log) {
    arguments.insert(arguments.begin(), gen_binary().string());
    child_ = fork();
    // kill(-1) would reach every process of the user.
    if (child_ < 0) throw std::runtime_error("fork failed");
    if (child_ == 0) {
      const int file = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
      dup2(file, 1), dup2(file, 2);
      std::vector<char*> argv;
      for (const auto& each : arguments) argv.push_back(const_cast<char*>(each.c_str()));
      argv.push_back(nullptr);
      execv(argv[0], argv.data());
      _exit(127);
    }
  }
  ~Process() {
    if (!waited_) kill(child_, SIGKILL), wait();
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  void send(int signal) const { kill(child_, signal); }
  bool running() {
    if (waited_) return false;
    int status = 0;
    if (waitpid(child_, &status, WNOHANG) == 0) return true;
    note(status);
    return false;
  }
  /// The exit code, or 128 + signal.
  int wait() {
    int status = 0;
    if (!waited_ && waitpid(child_, &status, 0) == child_) note(status);
    return code_;
  }

 private:
  void note(int status) {
    waited_ = true;
    code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    expect_own_words(read_text(log_));
  }
  std::filesystem::path log_;
  pid_t child_ = -1;
  bool waited_ = false;
  int code_ = -1;
};

// Until `holds` or the process ends; the limit is for a machine that hangs, not a measure of time.
template <class Condition>
bool wait_until(Process& process, Condition holds) {
  for (int i = 0; i < 6000; ++i) {
    if (holds()) return true;
    if (!process.running()) return holds();
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

}  // namespace gen::test
