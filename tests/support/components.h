// Components from their JSON, through the config layer, so that names, ranges and defaults are those of a
// config.
#pragma once

#include <memory>

#include "gen/config/load.h"
#include "gen/diffusion/noise_schedule.h"
#include "gen/diffusion/sampler.h"
#include "support/support.h"

namespace gen::test {

struct ComponentHolder {
  const KindBase& kind;
  Component component;
  void visit(OptionVisitor& v) { v.component("component", component, kind, "what is tested"); }
};

inline Component component_of(const KindBase& kind, const Json& options) {
  ComponentHolder holder{kind, {}};
  Issues issues;
  load(Document::from_json({{"component", options}}, "test"), holder, issues);
  issues.throw_if_any();
  return holder.component;
}

inline std::unique_ptr<NoiseSchedule> make_schedule(const Json& options) {
  return noise_schedules().make(component_of(noise_schedules(), options));
}

inline std::unique_ptr<Sampler> make_sampler(const Json& options) {
  return samplers().make(component_of(samplers(), options));
}

/// Values that diffusers gives: tests/golden/diffusers_samplers.json.
inline Json diffusers_samplers() {
  return Json::parse(read_text(source_dir() / "tests/golden/diffusers_samplers.json"));
}

}  // namespace gen::test
