#include "gen/core/nearest.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <vector>

#include "gen/core/text.h"

namespace gen {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

// Optimal string alignment: insertions, deletions, substitutions and swaps of neighbours, each at cost 1.
size_t distance(const std::string& a, const std::string& b) {
  std::vector<std::vector<size_t>> d(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
  for (size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
  for (size_t i = 1; i <= a.size(); ++i)
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t cost = a[i - 1] == b[j - 1] ? 0 : 1;
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + cost});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  return d[a.size()][b.size()];
}

}  // namespace

std::string nearest(std::string_view word, std::span<const std::string> candidates) {
  constexpr size_t kLongestWord = 100;
  if (word.size() > kLongestWord) return {};
  const std::string wanted = lower(word);
  std::string best;
  // "val" of "validation": an abbreviation, where only one candidate begins so.
  constexpr size_t kShortestAbbreviation = 3;
  if (wanted.size() >= kShortestAbbreviation) {
    const auto begins = [&](const std::string& candidate) { return lower(candidate).starts_with(wanted); };
    const auto first = std::find_if(candidates.begin(), candidates.end(), begins);
    if (first != candidates.end() && std::none_of(first + 1, candidates.end(), begins)) return *first;
  }
  size_t best_distance = std::max<size_t>(1, (wanted.size() + 2) / 3) + 1;
  for (const auto& candidate : candidates) {
    const size_t d = distance(wanted, lower(candidate));
    if (d < best_distance) best = candidate, best_distance = d;
  }
  return best;
}

std::string did_you_mean(std::string_view word, std::span<const std::string> candidates) {
  const std::string best = nearest(word, candidates);
  return best.empty() ? std::string() : fmt::format(" (did you mean \"{}\"?)", printable_line(best));
}

}  // namespace gen
