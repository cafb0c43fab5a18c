// Signals that ask the program to end: SIGINT, SIGTERM, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGXCPU.
#pragma once

namespace gen::signals {

/// From here on each of them ends the process at once with 130, even inside a long call of a library: nothing is to be
/// saved. One that the process was started to ignore (nohup) stays ignored; not so SIGINT and SIGQUIT, which a shell
/// script's "&" ignores unasked.
void install();
/// From here on the first only asks to stop, so that a run finishes its step, saves and exits with 75. The second leaves
/// at once with 130, unless it is SIGHUP or SIGXCPU: those come again and again from the system, not from somebody
/// who is tired of waiting.
void ask_first();
/// True once a stop was asked for.
bool stop_requested();
/// The signal's name, e.g. "SIGINT"; "" when none came.
const char* requested_by();
/// For tests and for programs that embed libgen.
void request_stop();
void reset();

}  // namespace gen::signals
