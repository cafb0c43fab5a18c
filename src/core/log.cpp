#include "gen/core/log.h"

#include <atomic>

#include "core/log_sink.h"
#include "gen/core/error.h"

namespace gen::log {

namespace {
std::atomic<Level> console_level{Level::info};
}  // namespace

void set_level(Level level) {
  console_level = level;
  log_sink::set_level(static_cast<int>(level));
}

bool enabled(Level level) { return level >= console_level.load(); }

void open_file(const std::string& path) {
  if (auto problem = log_sink::open_file(path); !problem.empty())
    throw IoError(fmt::format("{}: cannot open the log file: {}", path, problem));
}

void close_file() { log_sink::close_file(); }

void write(Level level, std::string_view message) { log_sink::write(static_cast<int>(level), message); }

void write_file(Level level, std::string_view message) {
  log_sink::set_level(static_cast<int>(Level::off));
  write(level, message);
  log_sink::set_level(static_cast<int>(console_level.load()));
}

}  // namespace gen::log
