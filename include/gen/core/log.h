// Logging to stderr and, once a run is open, to its train.log. stdout is for results.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

namespace gen::log {

enum class Level { debug, info, warning, error, off };

/// What reaches stderr; a log file gets everything from `info` up.
void set_level(Level level);
/// Whether messages of this level reach stderr.
bool enabled(Level level);
/// Also appends to `path` until close_file(); throws IoError when it cannot be opened.
void open_file(const std::string& path);
void close_file();
void write(Level level, std::string_view message);
/// To the log file alone, for what reaches stderr in another way.
void write_file(Level level, std::string_view message);

template <class... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::debug, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::info, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void warning(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::warning, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::error, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace gen::log
