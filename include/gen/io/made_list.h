// RUN/made.txt: what gen made in a run's folder. Nothing that it does not list is ever deleted or replaced there.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace gen {

/// A line an event: "+ checkpoints/step_00000010" claimed, before it is made; "= ..." a checkpoint that was finished;
/// "- ..." removed. Names are relative to the run. A torn last line (a kill) is dropped; lines that are no name of gen's are
/// ignored, so that a list written by somebody else cannot have anything deleted that gen never makes. Processes that train,
/// sample and score write it at the same time; once most of it tells of things that are gone it is written anew, shorter.
class MadeList {
 public:
  static constexpr const char* kFile = "made.txt";

  /// Reads the list of the run in `folder`. Throws IoError where it cannot be read, or is a link.
  explicit MadeList(std::filesystem::path folder);
  /// What other processes have added meanwhile.
  void read_again();
  /// Whether the folder has a list.
  bool begun() const { return begun_; }
  /// Writes an empty list in place of what there was.
  void begin();
  bool lists(const std::string& name) const { return names_.contains(name); }
  const std::set<std::string>& names() const { return names_; }
  /// The greatest step of a checkpoint that was ever finished here, removed or not; -1: none.
  int64_t newest_step() const { return newest_step_; }
  /// Adds those that are not listed, in one write.
  void add(const std::vector<std::string>& names);
  void finish(const std::string& name);
  void drop(const std::string& name);

 private:
  void take(const std::string& line);
  void append(const std::vector<std::string>& lines);
  void shorten();
  std::filesystem::path path_;
  bool begun_ = false;
  std::set<std::string> names_;
  int64_t newest_step_ = -1;
  size_t num_lines_ = 0;
};

/// Whether gen makes things of this name, relative to a run: config.json, samples/..., checkpoints/step_..., ...
bool is_made_name(const std::string& name);
/// Of a temporary file or folder of gen's (".tmp-STATUS-1234-0", ".tmp-step_00000010-1234", "...-pruned"), the number of
/// the process that made it, 0 where the name does not tell; nothing for other names.
std::optional<int64_t> temporary_owner(const std::string& name);

}  // namespace gen
