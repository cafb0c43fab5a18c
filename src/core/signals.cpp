#include "gen/core/signals.h"

#include <unistd.h>
#include <csignal>
#include <cstring>

#include "gen/core/error.h"

namespace gen::signals {
namespace {

volatile std::sig_atomic_t received = 0;

// Only async-signal-safe calls.
void on_signal(int signal) {
  if (received != 0) _exit(static_cast<int>(ExitCode::interrupted));
  received = signal;
}

}  // namespace

void install() {
  struct sigaction action{};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  for (int signal : {SIGINT, SIGTERM, SIGUSR1}) sigaction(signal, &action, nullptr);
  // A write past RLIMIT_FSIZE or to a closed pipe then fails with an error instead of killing the process.
  std::signal(SIGXFSZ, SIG_IGN);
  std::signal(SIGPIPE, SIG_IGN);
}

bool stop_requested() { return received != 0; }

const char* requested_by() {
  switch (received) {
    case SIGINT:
      return "SIGINT";
    case SIGTERM:
      return "SIGTERM";
    case SIGUSR1:
      return "SIGUSR1";
    default:
      return "";
  }
}

void request_stop() { received = SIGTERM; }
void reset() { received = 0; }

}  // namespace gen::signals
