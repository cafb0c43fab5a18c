// Aligned columns on stdout.
#pragma once

#include <string>
#include <vector>

namespace gen::cli {

/// Rows as columns two blanks apart; the last column is wrapped at `width`, or at the terminal's where
/// that is narrower, and indented under itself.
/// `header` may be empty. Ends with a newline.
std::string table(const std::vector<std::string>& header, const std::vector<std::vector<std::string>>& rows,
                  size_t width = 110);

}  // namespace gen::cli
