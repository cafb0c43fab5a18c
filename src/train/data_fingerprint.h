// What tells the data of a run from others, at the price of a few examples.
#pragma once

#include <string>

#include "gen/config/json.h"
#include "train/session.h"

namespace gen {

/// Of each split that training reads, {"train": {"examples": 60000, "hashes": [...], "names": "..."}, ...}: how many examples
/// there are; a hash each of the first, the last and 16 spread evenly between them (values, label and caption; "" for one that
/// cannot be read); where the examples are files, a hash of their names.
Json data_fingerprint(const Session& session);

/// In which way the data are not those of `before`, "" where nothing tells them apart: an example that could not be read once
/// (and was repaired) does not.
std::string data_difference(const Json& before, const Json& now);

/// `before`, with the examples that could not be read then.
Json completed_fingerprint(Json before, const Json& now);

}  // namespace gen
