// Words that people bring from other programs.
#pragma once

#include <CLI/CLI.hpp>

#include <string>
#include <vector>

namespace gen::cli {

/// What word `i` of those that `verb` did not take probably stands for, ready to paste: "--set train.optimizer.lr=0.1" for
/// "--lr 0.1", "--run runs/a" for "runs/a". Empty where nothing is known of it.
std::string meant_instead(const CLI::App& verb, const std::vector<std::string>& words, size_t i);

}  // namespace gen::cli
