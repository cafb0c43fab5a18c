// What must happen before the libraries that gen is linked to start: their constructors run before main(). Nothing of these
// libraries is ready here, nor anything of gen's own.
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <string_view>

#include "gen/core/error.h"

namespace gen::cli {
namespace {

void say(std::string_view text) {
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text.data(), text.size());
}

// LibTorch's libraries make objects as they are loaded.
[[noreturn]] void on_early_terminate() {
  say("error: out of memory while LibTorch was loaded: the limit on address space (ulimit -v) or the machine "
      "has too "
      "little\n");
  std::_Exit(static_cast<int>(ExitCode::out_of_memory));
}

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

// A whole number above 0 that fits an int; 0 of all else.
long count_of(std::string_view text) {
  constexpr size_t kMostDigits = 9;
  text = trimmed(text);
  if (text.empty() || text.size() > kMostDigits) return 0;
  long count = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return 0;
    count = 10 * count + (c - '0');
  }
  return count;
}

bool are_counts(std::string_view list) {
  for (;; list.remove_prefix(list.find(',') + 1)) {
    if (count_of(list.substr(0, list.find(','))) == 0) return false;
    if (list.find(',') == list.npos) return true;
  }
}

// A number with B, K, M or G behind it, or of KiB; not below the least stack of a thread.
bool is_stack_size(std::string_view text) {
  constexpr long kLeast = 16 << 10;
  constexpr std::string_view kUnits = "BKMGbkmg";
  text = trimmed(text);
  const size_t unit = text.empty() ? kUnits.npos : kUnits.find(text.back());
  if (unit != kUnits.npos) text.remove_suffix(1);
  const size_t scale = unit == kUnits.npos ? 1 : unit % 4;
  const long number = count_of(text);
  return number > 0 && (scale > 1 || number * (scale == 1 ? 1024 : 1) >= kLeast);
}

struct Rule {
  std::string_view name;
  bool (*good)(std::string_view);
  std::string_view expected;
};
constexpr Rule kRules[] = {{"OMP_NUM_THREADS=", are_counts, "whole numbers of threads above 0"},
                           {"OMP_THREAD_LIMIT=", are_counts, "a whole number of threads above 0"},
                           {"OMP_STACKSIZE=", is_stack_size, "a size of 16K or more, such as 4M"},
                           {"GOMP_STACKSIZE=", is_stack_size, "a size of 16K or more, such as 4M"}};

bool is_unusable(std::string_view variable) {
  for (const auto& [name, good, expected] : kRules) {
    if (!variable.starts_with(name) || good(variable.substr(name.size()))) continue;
    say("warning: ");
    say(name.substr(0, name.size() - 1));
    say(": expected ");
    say(expected);
    say("; not used\n");
    return true;
  }
  return false;
}

void before_libraries(int, char**, char** environment) {
  std::set_terminate(on_early_terminate);
  // What OpenMP's library cannot use it tells in words of its own, and goes on without.
  char** end = environment;
  while (*end != nullptr) ++end;
  *std::remove_if(environment, end, is_unusable) = nullptr;
}

[[gnu::section(".preinit_array"), gnu::used]] void (*const first_of_all)(int, char**,
                                                                         char**) = before_libraries;

}  // namespace
}  // namespace gen::cli
