#include "gen/core/log.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "core/log_sink.h"
#include "gen/core/error.h"
#include "gen/core/os_error.h"
#include "gen/core/text.h"

namespace gen::log {

namespace {
std::atomic<Level> console_level{Level::info};
constexpr size_t kLongestMessage = 10'000;  // letters: a name out of a file may have millions
}  // namespace

void set_level(Level level) {
  console_level = level;
  log_sink::set_level(static_cast<int>(level));
}

bool enabled(Level level) { return level >= console_level.load(); }

void open_file(const std::string& path) {
  // Tried first by ourselves: spdlog would make a folder that is gone, and wait in vain.
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
  int code = descriptor < 0 ? errno : 0;
  if (descriptor >= 0) ::close(descriptor);
  if (code == 0) code = log_sink::open_file(path);
  if (code != 0) throw IoError(fmt::format("{}: cannot open the log file: {}", path, os_error_text(code)));
}

void close_file() { log_sink::close_file(); }

void write(Level level, std::string_view message) {
  // Lines after the first are indented: none may pass for a message of its own.
  std::string text = shortened(printable(message), kLongestMessage);
  for (size_t at = 0; (at = text.find('\n', at)) != std::string::npos; at += 3) text.insert(at + 1, "  ");
  log_sink::write(static_cast<int>(level), text);
}

void write_file(Level level, std::string_view message) {
  log_sink::set_level(static_cast<int>(Level::off));
  write(level, message);
  log_sink::set_level(static_cast<int>(console_level.load()));
}

}  // namespace gen::log
