#include "cli/sample_room.h"

#include <fmt/format.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <exception>

#include "gen/core/error.h"
#include "gen/core/failure.h"
#include "gen/core/memory.h"
#include "gen/core/units.h"

namespace gen::cli {
namespace {

std::string shown(double bytes) { return human_bytes(bytes); }

// The folder, or what is there of its parents.
std::filesystem::path existing_part(std::filesystem::path folder) {
  std::error_code error;
  folder = std::filesystem::absolute(folder, error);
  while (!std::filesystem::exists(folder, error) && folder.has_relative_path()) folder = folder.parent_path();
  return folder;
}

void require_disk_for_files(int64_t count, const std::filesystem::path& out) {
  struct statvfs disk {};
  if (statvfs(existing_part(out).c_str(), &disk) != 0) return;
  const auto block = static_cast<double>(disk.f_frsize);
  const double needed = block * static_cast<double>(count), free = block * static_cast<double>(disk.f_bavail);
  const bool no_names = disk.f_files > 0 && static_cast<double>(disk.f_favail) < static_cast<double>(count);
  if (needed <= free && !no_names) return;
  throw IoError(fmt::format(
      "{}: {} files take at least {}, and {} are free there{}: draw fewer (--count), or into one file "
      "(--format npy)",
      out.string(), count, shown(needed), shown(free),
      no_names ? fmt::format(", with room for {} files", static_cast<uint64_t>(disk.f_favail)) : ""));
}

}  // namespace

void require_room_for_samples(const LoadedRun& loaded, const std::string& format,
                              const std::filesystem::path& out) {
  const auto& options = loaded.experiment.sample;
  const FreeMemory free = free_memory();
  const double sample = static_cast<double>(loaded.data.dims()) * sizeof(float);
  const auto count = static_cast<double>(options.count), room = static_cast<double>(free.bytes);
  const bool files = format == "png" && loaded.data.kind == DataKind::images;
  // Kept in parts, and once more in one piece to be written.
  if (!files && 2 * count * sample > room)
    throw OutOfMemoryError(
        fmt::format("{} samples of {} in one file take {} of memory, and {} are free ({}): draw them in "
                    "several parts, each with its own --seed and --out, of a smaller --count",
                    options.count, shown(sample), shown(2 * count * sample), shown(room), free.bound));
  const auto batch = static_cast<double>(std::min(options.batch_size, options.count));
  if (batch * sample > room)
    throw OutOfMemoryError(
        fmt::format("--batch-size {}: so many samples of {} take {} at once, and {} are free ({}): a "
                    "smaller one draws the same samples",
                    options.batch_size, shown(sample), shown(batch * sample), shown(room), free.bound));
  if (files) require_disk_for_files(options.count, out);
}

Samples draw_batch(Model& model, const SampleRequest& request) {
  try {
    return model.sample(request);
  } catch (...) {
    const Failure failure = explain(std::current_exception());
    if (failure.code != ExitCode::out_of_memory) throw;
    throw OutOfMemoryError(
        request.count == 1
            ? std::string("out of memory with one sample at a time: the model is too large for this machine")
            : fmt::format("out of memory with {} samples at a time: a smaller --batch-size draws the same samples",
                          request.count));
  }
}

}  // namespace gen::cli
