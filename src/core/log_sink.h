// What log.cpp offers log.h without fmt in its interface: spdlog is built on Debian's fmt 9, the rest of gen on
// the fmt 12 of torch's headers, so no file may see both.
#pragma once

#include <string>
#include <string_view>

namespace gen::log_sink {
void set_level(int level);
/// 0, or the errno of what was refused.
int open_file(const std::string& path);
void close_file();
void write(int level, std::string_view message);
}  // namespace gen::log_sink
