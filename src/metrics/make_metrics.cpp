#include <fmt/format.h>

#include "gen/config/option_error.h"
#include "gen/metrics/metric.h"

namespace gen {

std::vector<std::unique_ptr<Metric>> make_metrics(const std::vector<Component>& chosen, Model& model,
                                                  const DataSpec& data) {
  std::vector<std::unique_ptr<Metric>> made;
  OptionMistakes mistakes;
  for (size_t i = 0; i < chosen.size(); ++i) {
    made.push_back(metrics().make(chosen[i], data));
    if (const auto lacks = made.back()->missing_capability(model); !lacks.empty())
      mistakes.add(
          fmt::format("/metrics/{}", i),
          fmt::format("{} expects a model with {}, which this one lacks (leave it out, or name no metrics: "
                      "then all are taken that the model can answer)",
                      chosen[i].type, lacks));
  }
  mistakes.throw_if_any();
  if (!chosen.empty()) return made;
  for (const auto& type : metrics().types()) {
    auto metric = metrics().make(Component(type), data);
    if (metric->missing_capability(model).empty()) made.push_back(std::move(metric));
  }
  return made;
}

}  // namespace gen
