// The only file that sees spdlog. It is compiled without torch's headers (see log_sink.h).
#include "core/log_sink.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <vector>

#include "gen/core/os_error.h"

namespace gen::log_sink {
namespace {

// A log that cannot be written, told once; its words are spdlog's, the reason is the system's.
void on_error(const std::string& /*words*/) {
  const std::string reason = os_error_text(errno);
  static std::atomic<bool> told = false;
  if (!told.exchange(true))
    std::fprintf(stderr, "warning: the log file cannot be written: %s; the work goes on without it\n",
                 reason.c_str());
}

struct Sinks {
  std::shared_ptr<spdlog::sinks::sink> console = std::make_shared<spdlog::sinks::stderr_color_sink_mt>();
  std::shared_ptr<spdlog::logger> logger;
  Sinks() : logger(std::make_shared<spdlog::logger>("gen", console)) {
    logger->set_level(spdlog::level::debug);
    logger->flush_on(spdlog::level::info);
    console->set_level(spdlog::level::info);
    console->set_pattern("%^%l%$: %v");
    logger->set_error_handler(on_error);
  }
};

Sinks& sinks() {
  static Sinks instance;
  return instance;
}

spdlog::level::level_enum to_spdlog(int level) {
  constexpr spdlog::level::level_enum kLevels[] = {
      spdlog::level::debug, spdlog::level::info, spdlog::level::warn, spdlog::level::err, spdlog::level::off};
  return kLevels[level];
}

}  // namespace

void set_level(int level) { sinks().console->set_level(to_spdlog(level)); }

int open_file(const std::string& path) {
  try {
    errno = 0;
    auto file = std::make_shared<spdlog::sinks::basic_file_sink_mt>(path, /*truncate=*/false);
    file->set_level(spdlog::level::info);
    file->set_pattern("%Y-%m-%dT%H:%M:%S.%e %l %v");
    close_file();
    sinks().logger->sinks().push_back(file);
    return 0;
  } catch (const spdlog::spdlog_ex&) {
    return errno != 0 ? errno : EIO;
  }
}

void close_file() { sinks().logger->sinks().resize(1); }

void write(int level, std::string_view message) {
  sinks().logger->log(to_spdlog(level), spdlog::string_view_t(message.data(), message.size()));
}

}  // namespace gen::log_sink
