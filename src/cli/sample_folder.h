// The folder that `gen sample` writes into, and whose the files there are.
#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "gen/config/json.h"
#include "gen/io/folder_lock.h"
#include "gen/io/run_dir.h"

namespace gen::cli {

/// Files of an earlier draw of the same run are replaced, all of them; those of others never, unless told to. What a
/// draw has written is in its sample.json: "manifest", the size and hash of each file, or, while it is drawn and after
/// a draw that was cut short, "planned", the names that are its own.
class SampleFolder {
 public:
  /// Creates the folder, and locks it against a second draw. Throws ConfigError where another process draws into it, or
  /// naming the first of the `planned` files that is there and is not an earlier draw's of the run that `provenance` names, as
  /// it was written; with `overwrite` only for a folder.
  SampleFolder(std::filesystem::path folder, const Json& provenance, std::vector<std::string> planned,
               bool overwrite);
  const std::filesystem::path& path() const { return folder_; }
  /// Where this is the samples folder of `run`: notes there what may be written, so that gen train --overwrite may remove it.
  void note_made(const RunDir& run) const;
  /// To be called before the first file is written: removes the earlier draw. Does nothing when called again.
  void begin();
  /// Writes sample.json: `document`, with the manifest of `files`.
  void finish(Json document, const std::vector<std::filesystem::path>& files) const;

 private:
  void read_earlier(bool overwrite);
  void take(const Json& earlier);
  void check(const std::string& name, bool overwrite);
  static std::filesystem::path made(std::filesystem::path folder);
  std::filesystem::path folder_;
  FolderLock lock_;
  Json provenance_;
  std::vector<std::string> planned_;
  std::set<std::string> earlier_;   // ours, to be removed
  std::set<std::string> yielding_;  // of others, that --overwrite gives up
  bool begun_ = false;
};

}  // namespace gen::cli
