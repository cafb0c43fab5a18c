#include "data/read_example.h"
#include "gen/core/parallel.h"

namespace gen {
namespace {

constexpr int64_t kChunk = 256;  // examples between two words of progress

std::string problem_of(const Dataset& dataset, int64_t index) {
  try {
    read_example(dataset, index, nullptr);
  } catch (const ExampleError& error) {
    return error.what();
  }
  return {};
}

}  // namespace

std::vector<BadExample> find_bad_examples(
    const Dataset& dataset, const std::function<void(int64_t, std::span<const BadExample>)>& progress) {
  std::vector<BadExample> found;
  for (int64_t first = 0; first < dataset.size(); first += kChunk) {
    const int64_t last = std::min(dataset.size(), first + kChunk);
    std::vector<std::string> problems(static_cast<size_t>(last - first));
    parallel_for(first, last, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) problems[static_cast<size_t>(i - first)] = problem_of(dataset, i);
    });
    const size_t before = found.size();
    for (int64_t i = first; i < last; ++i)
      if (auto& problem = problems[static_cast<size_t>(i - first)]; !problem.empty())
        found.push_back({i, std::move(problem)});
    progress(last, std::span(found).subspan(before));
  }
  return found;
}

}  // namespace gen
