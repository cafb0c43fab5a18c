#include "io/run_checks.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "gen/core/error.h"
#include "gen/core/log.h"
#include "io/run_leftovers.h"

namespace gen {

namespace fs = std::filesystem;

std::string what_is_missing(const fs::path& folder) {
  std::error_code error;
  if (never_began(folder, MadeList(folder))) return " (the run never began: train it first)";
  if (fs::exists(folder / "run.json", error))
    return fmt::format(
        " (put it back; gen train --resume writes it again from run.json where that holds the config)");
  return "";
}

void check_begins_in(const fs::path& folder, RunMode mode) {
  if (mode == RunMode::resume || !holds_anything(folder)) return;
  const MadeList made(folder);
  if (mode == RunMode::create && !never_began(folder, made)) {
    const bool lost = made.begun() && !fs::exists(folder / "config.json");
    throw ConfigError(
        fmt::format("{}: the run folder is not empty{} (continue it with --resume, start anew with "
                    "--overwrite, or choose another with --run-dir)",
                    folder.string(), lost ? ": it holds a run that lost its config.json" : ""));
  }
  if (mode == RunMode::overwrite && !made.begun())
    throw ConfigError(fmt::format(
        "{}: not overwritten, because it is not a run's folder: it holds no {}, gen's list of what "
        "it made there (choose another with --run-dir, or empty it yourself)",
        folder.string(), MadeList::kFile));
  const auto strange = not_of_this_run(folder, made);
  if (mode == RunMode::overwrite && !strange.empty())
    throw ConfigError(
        fmt::format("{}: not overwritten, because {} {} not made by this run, or a link: gen deletes neither "
                    "(move it away, or choose another folder with --run-dir)",
                    folder.string(), fmt::join(strange, ", "), strange.size() == 1 ? "was" : "were"));
}

void check_links(const fs::path& folder) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (!is_made_name(entry.path().filename().string())) continue;
    if (entry.is_symlink(error))
      throw IoError(fmt::format("{}: a link to {}: gen writes no file of a run through a link (move it away)",
                                entry.path().string(), fs::read_symlink(entry.path(), error).string()));
    if (!entry.is_regular_file(error))
      throw IoError(fmt::format("{}: expected a file of the run, got {} (move it away)",
                                entry.path().string(),
                                entry.is_directory(error) ? "a folder" : "a device or a pipe"));
  }
  if (fs::is_symlink(folder / "checkpoints", error))
    log::warning(
        "{}: a link, through which nothing is deleted: train.keep_last has no effect (to keep a run on "
        "another "
        "disk, link its whole folder)",
        (folder / "checkpoints").string());
}

}  // namespace gen
