// System calls that throw IoError with the path and the reason.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

namespace gen::posix {

/// An open file, closed at the end.
class Descriptor {
 public:
  explicit Descriptor(int number = -1) : number_(number) {}
  ~Descriptor() { reset(); }
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    if (this != &other) reset(), number_ = std::exchange(other.number_, -1);
    return *this;
  }
  int get() const { return number_; }
  int release() { return std::exchange(number_, -1); }

 private:
  void reset();
  int number_;
};

/// Throws IoError: "PATH: cannot DOING: " and os_error_text(errno).
[[noreturn]] void fail(const std::filesystem::path& path, const char* doing);
/// Opens a regular file (or a device) to read; `size` is 0 for a device. Throws DataError where there is
/// none, or a named pipe.
Descriptor open_to_read(const std::filesystem::path& path, uint64_t& size);
/// Opens to append, creating the file.
int open_to_append(const std::filesystem::path& path);
/// Writes all bytes, or throws.
void write_all(int descriptor, const std::filesystem::path& path, const void* data, size_t bytes);
/// Writes all bytes at the end of the file, or none of them: a torn record would hide those after it.
void append_whole(int descriptor, const std::filesystem::path& path, std::string_view bytes);
/// Reads exactly `bytes`; throws DataError where the file ends before.
void read_exactly(int descriptor, const std::filesystem::path& path, void* data, size_t bytes);
/// What a lock that was asked for came to.
enum class Locked {
  yes,
  by_another,  ///< another process holds it
  never,       ///< this file system has no locks
};
/// flock for this process alone, until the descriptor is closed; `wait` for as long as another has it. Throws IoError.
Locked lock(int descriptor, const std::filesystem::path& path, bool wait);
/// Whether another process holds that lock.
Locked lock_of_another(int descriptor);
/// Whether the descriptor is still what lies at `path`: neither was removed or replaced.
bool is_at(int descriptor, const std::filesystem::path& path);
/// Makes renames and removals in the folder last.
void sync_folder(const std::filesystem::path& folder);

}  // namespace gen::posix
