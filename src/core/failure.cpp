#include "gen/core/failure.h"

#include <c10/util/Exception.h>
#include <fmt/format.h>

#include <cerrno>
#include <filesystem>
#include <new>
#include <string_view>
#include <system_error>

#include "gen/core/memory.h"
#include "gen/core/os_error.h"
#include "gen/core/units.h"

namespace gen {
namespace {

constexpr const char* kWhatTakesLess = "use a smaller --batch-size, train.batch_size or model";

// Names what is left, so that a limit of the shell or the container is not taken for a batch that is too large.
Failure memory_ran_out() {
  const FreeMemory free = free_memory();
  return {fmt::format("out of memory: {} are free ({}); {}{}", human_bytes(static_cast<double>(free.bytes)),
                      free.bound, kWhatTakesLess,
                      free.bound.find("limit") == std::string::npos ? "" : ", or raise that limit"),
          ExitCode::out_of_memory};
}

// LibTorch reports a refused allocation in words that differ by allocator; oneDNN without any.
bool is_out_of_memory(const c10::Error& error) {
  if (dynamic_cast<const c10::OutOfMemoryError*>(&error) != nullptr) return true;
  const std::string_view text = error.what_without_backtrace();
  for (const char* sign : {"not enough memory", "can't allocate memory", "out of memory", "bad_alloc",
                           "could not create a memory", "Cannot allocate memory"})
    if (text.find(sign) != text.npos) return true;
  return false;
}

// A thread that cannot be started is told as EAGAIN, whether memory or the limit on processes ran out.
Failure of_system(const std::system_error& error) {
  const int code = error.code().value();
  if (code == ENOMEM) return memory_ran_out();
  if (code == EAGAIN)
    return {
        "a thread cannot be started: no memory is left for its stack, or too many processes run (use fewer "
        "train.data_workers and train.threads, or raise ulimit -v and -u)",
        ExitCode::out_of_memory};
  return {fmt::format("the system refused: {}", os_error_text(code)), ExitCode::io};
}

Failure of_files(const std::filesystem::filesystem_error& error) {
  if (error.code().value() == ENOMEM) return memory_ran_out();
  return {fmt::format("{}: cannot be read or written: {}", error.path1().string(),
                      os_error_text(error.code().value())),
          ExitCode::io};
}

Failure unforeseen(const std::string& what) {
  const std::string first_line = what.substr(0, what.find('\n'));
  return {fmt::format("a bug in gen, which should have foreseen this: {}", first_line), ExitCode::failure};
}

Failure of_torch(const c10::Error& error) {
  if (is_out_of_memory(error)) return memory_ran_out();
  const std::string text = error.what_without_backtrace();
  // LibTorch keeps no errno; the files that it opens itself are there.
  if (text.find("Unable to open /dev/urandom") != std::string::npos)
    return {fmt::format("/dev/urandom: cannot be opened: {}", os_error_text(EMFILE)), ExitCode::io};
  return unforeseen(text);
}

}  // namespace

Failure explain(std::exception_ptr error) {
  try {
    std::rethrow_exception(std::move(error));
  } catch (const TensorTooLarge& e) {
    return {fmt::format("out of memory: {}; {}", e.what(), kWhatTakesLess), e.code()};
  } catch (const Error& e) {
    return {e.what(), e.code()};
  } catch (const std::bad_alloc&) {
    return memory_ran_out();
  } catch (const std::length_error&) {  // a container asked for more than can be addressed
    return memory_ran_out();
  } catch (const c10::Error& e) {
    return of_torch(e);
  } catch (const std::filesystem::filesystem_error& e) {
    return of_files(e);
  } catch (const std::system_error& e) {
    return of_system(e);
  } catch (const std::exception& e) {
    return unforeseen(e.what());
  } catch (...) {
    return unforeseen("something that is no exception was thrown");
  }
}

}  // namespace gen
