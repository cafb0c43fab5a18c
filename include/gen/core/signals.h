// The first SIGINT, SIGTERM or SIGUSR1 asks a run to finish its step, checkpoint and exit 75; the second leaves at
// once with 130.
#pragma once

namespace gen::signals {

void install();
/// True once a stop was asked for.
bool stop_requested();
/// The signal's name, e.g. "SIGINT"; "" when none came.
const char* requested_by();
/// For tests and for programs that embed libgen.
void request_stop();
void reset();

}  // namespace gen::signals
