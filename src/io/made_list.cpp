#include "gen/io/made_list.h"

#include <fcntl.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "gen/core/error.h"
#include "gen/io/checkpoint.h"
#include "gen/io/file.h"
#include "io/posix.h"

namespace gen {
namespace {

namespace fs = std::filesystem;

constexpr const char* kHeader =
    "# What gen made in this folder: + made, = finished, - removed. gen deletes nothing else here.\n";
constexpr uint64_t kLargestList = uint64_t{64} << 20;
constexpr size_t kFewLines = 1000;  // a list of so many, and four for each name that counts, is left as it is
constexpr std::array<std::string_view, 7> kFiles{"config.json",   "run.json",     "STATUS",       "train.log",
                                                 "metrics.jsonl", "summary.json", "skipped.jsonl"};

bool all_digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool is_plain(std::string_view name) {
  return !name.empty() && name.front() != '.' && name.find('/') == name.npos && name.find('\n') == name.npos;
}

// Opened to append, and locked where the file system has locks. One that was replaced meanwhile is left alone: a line
// added there would be lost.
posix::Descriptor open_list(const fs::path& path, bool& locked) {
  while (true) {
    posix::Descriptor file(::open(path.c_str(), O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW));
    if (file.get() < 0) posix::fail(path, "note there what is made in the run");
    locked = posix::lock(file.get(), path, /*wait=*/true) == posix::Locked::yes;
    std::error_code error;
    if (posix::is_at(file.get(), path) || !fs::exists(path, error)) return file;
  }
}

}  // namespace

bool is_made_name(const std::string& name) {
  if (std::find(kFiles.begin(), kFiles.end(), name) != kFiles.end()) return true;
  if (name.starts_with("events.out.tfevents.")) return is_plain(name);
  const size_t slash = name.find('/');
  if (slash == name.npos) return false;
  const std::string_view folder = std::string_view(name).substr(0, slash),
                         file = std::string_view(name).substr(slash + 1);
  if (folder == "checkpoints") return checkpoint_step(std::string(file)) >= 0;
  return (folder == "samples" || folder == "eval") && is_plain(file);
}

std::optional<int64_t> temporary_owner(const std::string& name) {
  constexpr std::string_view kStart = ".tmp-";
  if (!name.starts_with(kStart)) return std::nullopt;
  const std::string_view rest = std::string_view(name).substr(kStart.size());
  const auto number = [](std::string_view text) -> std::optional<int64_t> {
    if (!all_digits(text) || text.size() > 10) return std::nullopt;
    return std::stoll(std::string(text));
  };
  // A checkpoint: step_00000010-PID, -PID-old, or -pruned.
  const size_t dash = rest.find('-');
  if (dash != rest.npos && checkpoint_step(std::string(rest.substr(0, dash))) >= 0) {
    std::string_view end = rest.substr(dash + 1);
    if (end == "pruned") return 0;
    if (end.ends_with("-old")) end.remove_suffix(4);
    return number(end);
  }
  // A file: NAME-PID-COUNT.
  const size_t count = rest.rfind('-');
  const size_t process = count == rest.npos || count == 0 ? rest.npos : rest.rfind('-', count - 1);
  if (process == rest.npos || process == 0 || !number(rest.substr(count + 1))) return std::nullopt;
  return number(rest.substr(process + 1, count - process - 1));
}

MadeList::MadeList(fs::path folder) : path_(std::move(folder) / kFile) { read_again(); }

void MadeList::read_again() {
  std::error_code error;
  const auto status = fs::symlink_status(path_, error);
  if (!fs::exists(status)) return;
  if (!fs::is_regular_file(status))
    throw IoError(fmt::format("{}: expected the file in which gen lists what it made, got {}", path_.string(),
                              fs::is_symlink(status) ? "a link" : "something else"));
  begun_ = true;
  names_.clear();
  num_lines_ = 0;
  const std::string text = read_file(path_, kLargestList);
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = text.find('\n', begin);
    if (end == text.npos) break;
    take(text.substr(begin, end - begin));
    begin = end + 1;
  }
}

void MadeList::begin() {
  write_file_atomically(path_, kHeader);
  begun_ = true;
  names_.clear();
  newest_step_ = -1;
  num_lines_ = 0;
}

void MadeList::add(const std::vector<std::string>& names) {
  std::vector<std::string> lines;
  for (const auto& name : names)
    if (!lists(name)) lines.push_back("+ " + name);
  if (!lines.empty()) append(lines);
}

void MadeList::finish(const std::string& name) { append({"= " + name}); }

void MadeList::drop(const std::string& name) {
  if (lists(name)) append({"- " + name});
}

void MadeList::take(const std::string& line) {
  ++num_lines_;
  if (line.size() < 3 || line[1] != ' ') return;
  const std::string name = line.substr(2);
  if (!is_made_name(name)) return;
  if (line[0] == '+') names_.insert(name);
  if (line[0] == '-') names_.erase(name);
  if (const auto folder = fs::path(name); line[0] != '+' && folder.parent_path() == "checkpoints")
    newest_step_ = std::max(newest_step_, checkpoint_step(folder.filename().string()));
}

void MadeList::append(const std::vector<std::string>& lines) {
  bool locked = false;
  const posix::Descriptor file = open_list(path_, locked);
  // What a kill tore is ended first, in a way that makes it no name of gen's.
  char last = '\n';
  const off_t size = ::lseek(file.get(), 0, SEEK_END);
  if (size > 0 && ::pread(file.get(), &last, 1, size - 1) != 1) posix::fail(path_, "read");
  posix::append_whole(file.get(), path_,
                      fmt::format("{}{}\n", last == '\n' ? "" : "/torn\n", fmt::join(lines, "\n")));
  for (const auto& line : lines) take(line);
  if (locked && num_lines_ > kFewLines + 4 * names_.size()) shorten();
}

void MadeList::shorten() {
  read_again();  // others' lines count, too
  std::string text = kHeader;
  for (const auto& name : names_) text += "+ " + name + "\n";
  if (newest_step_ >= 0) text += "= " + checkpoint_path("checkpoints", newest_step_).string() + "\n";
  try {
    write_file_atomically(path_, text);
    num_lines_ = names_.size() + 2;
  } catch (const IoError&) {
    // A disk that refuses it leaves the long list, which is as good.
  }
}

}  // namespace gen
