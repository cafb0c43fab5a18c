// "Did you mean": the candidate nearest to a mistyped word.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace gen {

/// The candidate with the least optimal-string-alignment distance to `word`, ignoring case; empty where none is
/// near (more than a third of its letters differ). The only one that begins with `word`, of three letters or more, is
/// nearest ("val" of "validation").
std::string nearest(std::string_view word, std::span<const std::string> candidates);
/// " (did you mean \"x\"?)", or "" where nothing is near.
std::string did_you_mean(std::string_view word, std::span<const std::string> candidates);

}  // namespace gen
