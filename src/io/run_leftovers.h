// What killed processes left in a run, and what a new run would be in the way of.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "gen/io/made_list.h"

namespace gen {

/// Removes .tmp-NAME-PID-N files and the temporary folders of checkpoints, of processes that are gone. Only names that gen
/// makes, only plain files and folders that hold nothing else; never through a link.
void remove_leftovers(const std::filesystem::path& run);

/// Whether the folder holds anything but gen's lock, its list, and leftovers.
bool holds_anything(const std::filesystem::path& folder);

/// Whether a run was begun there and made nothing to keep: it failed before its config was written, say for want of its
/// data, or was killed there.
bool never_began(const std::filesystem::path& folder, const MadeList& made);

/// Removes what every run begins with from a folder where none began: STATUS, train.log, gen's list and lock, the empty
/// folders. False, with nothing changed, where anything else lies there.
bool remove_attempt(const std::filesystem::path& folder);

/// What stands in the way of a run that begins anew, because made.txt does not list it or it is a link: names relative to
/// the run.
std::vector<std::string> not_of_this_run(const std::filesystem::path& folder, const MadeList& made);

/// Removes what `made` lists, the config first and STATUS last, so that a kill leaves a folder that only --overwrite goes
/// on with; then begins the list anew.
void remove_made(const std::filesystem::path& folder, MadeList& made);

}  // namespace gen
