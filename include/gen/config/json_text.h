// The one reader of JSON texts. What a text may cost is bounded before it is spent: whoever wrote the file.
#pragma once

#include <cstddef>
#include <string>

#include "gen/config/document.h"
#include "gen/config/json.h"

namespace gen {

constexpr size_t kDeepestJson = 64;  ///< levels of nesting; what copies or prints a value recurses
constexpr size_t kMostJsonKeys = size_t{1} << 18;       ///< of one object: the tensors of any model's index
constexpr size_t kMostJsonValues = size_t{1} << 21;     ///< of one text
constexpr size_t kLargestJsonBytes = size_t{64} << 20;  ///< of one file

/// Reads `text` into `value`. Refuses, as `issues` of the file `name`: syntax errors with line and column, numbers
/// that do not fit a double, duplicate keys, and what is beyond the bounds above. Returns false where there is no
/// value; a duplicate key alone leaves the first in `value`. Time and memory are linear in the text.
bool parse_json(const std::string& text, const std::string& name, Json& value, Issues& issues,
                bool comments = false);

}  // namespace gen
