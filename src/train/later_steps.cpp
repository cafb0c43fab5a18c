#include "train/later_steps.h"

#include <charconv>
#include <string>
#include <string_view>
#include <vector>

#include "gen/core/error.h"
#include "gen/core/log.h"
#include "gen/core/os_error.h"
#include "gen/io/file.h"
#include "gen/io/image.h"

namespace gen {
namespace {

namespace fs = std::filesystem;

/// The whole number that `text` begins with, or -1.
int64_t leading_number(std::string_view text) {
  int64_t number = -1;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

/// The step of a line "TIME info step 12/100 ..." or "TIME info step 12: ...", or -1.
int64_t step_of_line(std::string_view line) {
  constexpr std::string_view kMark = " info step ";
  const size_t time_ends = line.find(' ');
  if (time_ends == std::string_view::npos || line.substr(time_ends, kMark.size()) != kMark) return -1;
  return leading_number(line.substr(time_ends + kMark.size()));
}

std::string without_later_steps(const std::string& text, int64_t step) {
  std::string kept;
  for (size_t begin = 0; begin < text.size();) {
    const size_t newline = text.find('\n', begin);
    const size_t end = newline == std::string::npos ? text.size() : newline + 1;
    const std::string_view line(text.data() + begin, end - begin);
    if (step_of_line(line) <= step) kept += line;
    begin = end;
  }
  return kept;
}

void cut_log(const fs::path& path, int64_t step) {
  if (!fs::exists(path)) return;
  const std::string text = read_file(path), kept = without_later_steps(text, step);
  if (kept == text) return;
  write_file_atomically(path, kept);
  log::close_file();  // it would go on in the file that was replaced
  log::open_file(path.string());
}

/// Whether training drew this picture, and of which step: its name and its annotations agree.
int64_t step_of_picture(const fs::path& path) {
  constexpr std::string_view kPrefix = "step_";
  const std::string name = path.filename().string();
  std::error_code error;
  if (!name.starts_with(kPrefix) || path.extension() != ".png" ||
      !fs::is_regular_file(fs::symlink_status(path, error)))
    return -1;
  const int64_t step = leading_number(std::string_view(name).substr(kPrefix.size()));
  try {
    const Metadata notes = read_png_text(path);
    const auto noted = notes.find("step");
    return noted != notes.end() && notes.contains("config_hash") && leading_number(noted->second) == step
               ? step
               : -1;
  } catch (const Error&) {
    return -1;
  }
}

void remove_pictures(const RunDir& run, int64_t step) {
  std::error_code error;
  if (fs::is_symlink(run.samples(), error)) return;
  std::vector<fs::path> later;
  for (const auto& entry : fs::directory_iterator(run.samples(), error))
    if (run.made(entry.path()) && step_of_picture(entry.path()) > step) later.push_back(entry.path());
  for (const auto& path : later)
    if (!fs::remove(path, error) || error)
      log::warning("{}: cannot remove this picture of a step that is taken again: {}", path.string(),
                   os_error_text(error.value()));
}

}  // namespace

void forget_later_steps(const RunDir& run, int64_t step) {
  try {
    cut_log(run.log(), step);
  } catch (const IoError& e) {
    log::warning("train.log may tell some steps twice: {}", e.what());
  }
  remove_pictures(run, step);
}

}  // namespace gen
