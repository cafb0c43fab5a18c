// Standard input, output and error of a process that was started without some of them (cron, daemons, `>&-`).
#pragma once

namespace gen {

/// Gives /dev/null the number of each that is closed: a file opened later would otherwise take it, and with it all that
/// is printed. To be called first in main().
void fill_standard_streams();
/// Throws IoError where fewer descriptors are left than any work of gen takes: libraries that want one more would tell
/// it in words of their own, or of another cause.
void need_descriptors();
/// Whether stdout was closed then, so that what is printed is lost.
bool stdout_was_closed();

}  // namespace gen
