#include <fmt/format.h>

#include "gen/config/load.h"
#include "gen/core/error.h"
#include "gen/metrics/metric.h"

namespace gen {

std::vector<std::unique_ptr<Metric>> make_metrics(const std::vector<Component>& chosen, Model& model,
                                                  const DataSpec& data) {
  std::vector<std::unique_ptr<Metric>> made;
  Issues issues;
  for (size_t i = 0; i < chosen.size(); ++i) {
    made.push_back(metrics().make(chosen[i], data));
    if (const auto lacks = made.back()->missing_capability(model); !lacks.empty())
      issues.add(fmt::format("/eval/metrics/{}", i),
                 fmt::format("{} expects a model with {}, which this one lacks", chosen[i].type, lacks));
  }
  issues.throw_if_any();
  if (!chosen.empty()) return made;
  for (const auto& type : metrics().types()) {
    auto metric = metrics().make(Component(type), data);
    if (metric->missing_capability(model).empty()) made.push_back(std::move(metric));
  }
  return made;
}

}  // namespace gen
