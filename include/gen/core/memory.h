// How the process holds memory.
#pragma once

namespace gen {

/// Tells the allocator to keep what is freed. Each step frees and takes the same large buffers; handing them back to
/// the system in between would make it clear every page again. Called once, at the start of the program.
void keep_freed_memory();

}  // namespace gen
