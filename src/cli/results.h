// Results, to stdout: for people, or with --json for programs.
#pragma once

#include <fmt/format.h>

#include <string_view>

#include "gen/config/json.h"
#include "gen/core/error.h"

namespace gen::cli::results {

/// Throws IoError where stdout was closed at the start: for verbs whose results are nowhere but there.
void need_stdout(const char* verb);
/// As printable() shows it: no name out of a file acts on a terminal. A disk that is full, or a reader that has gone, is left to flush(): the verb does the rest of its work.
void write(std::string_view text);
/// One JSON document: two blanks an indent, nothing that a terminal would obey, and "nan", "inf", "-inf" for what JSON
/// has no word for.
void print_json(const Json& document);
template <class... Args>
void print(fmt::format_string<Args...> format, Args&&... args) {
  write(fmt::format(format, std::forward<Args>(args)...));
}
/// One JSON document. Numbers that are not finite, for which JSON has no word, are "nan", "inf" and "-inf".
void print_json(const Json& document);
/// Writes out what is held back, for someone who watches.
void show();
/// The same at the end. Returns `code`, or `io`, having said why, where results were lost; a reader that has
/// had enough (gen list | head) lost nothing.
ExitCode flush(ExitCode code);

}  // namespace gen::cli::results
