#include "gen/core/signals.h"

#include <unistd.h>

#include <array>
#include <csignal>
#include <utility>

#include "gen/core/error.h"

namespace gen::signals {
namespace {

constexpr std::array<std::pair<int, const char*>, 7> kStops{{{SIGINT, "SIGINT"},
                                                             {SIGTERM, "SIGTERM"},
                                                             {SIGQUIT, "SIGQUIT"},
                                                             {SIGHUP, "SIGHUP"},
                                                             {SIGUSR1, "SIGUSR1"},
                                                             {SIGUSR2, "SIGUSR2"},
                                                             {SIGXCPU, "SIGXCPU"}}};

volatile std::sig_atomic_t received = 0, asking = 0;

// Only async-signal-safe calls.
void on_signal(int signal) {
  const bool repeated_by_the_system = signal == SIGHUP || signal == SIGXCPU;
  if (asking == 0 || (received != 0 && !repeated_by_the_system))
    _exit(static_cast<int>(ExitCode::interrupted));
  if (received == 0) received = signal;
}

bool ignored_on_purpose(int signal) {
  struct sigaction inherited {};
  return signal != SIGINT && signal != SIGQUIT && sigaction(signal, nullptr, &inherited) == 0 &&
         inherited.sa_handler == SIG_IGN;
}

}  // namespace

void install() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  for (const auto& [signal, name] : kStops)
    if (!ignored_on_purpose(signal)) sigaction(signal, &action, nullptr);
  // A write past RLIMIT_FSIZE or to a closed pipe then fails with an error instead of killing the process.
  std::signal(SIGXFSZ, SIG_IGN);
  std::signal(SIGPIPE, SIG_IGN);
}

void ask_first() { asking = 1; }

bool stop_requested() { return received != 0; }

const char* requested_by() {
  for (const auto& [signal, name] : kStops)
    if (signal == received) return name;
  return "";
}

void request_stop() { received = SIGTERM; }
void reset() { received = 0; }

}  // namespace gen::signals
