// What the VAE's tests share: parts and models from JSON, and data to go with them.
#pragma once

#include <torch/torch.h>

#include <memory>
#include <string>

#include "gen/config/load.h"
#include "gen/models/model.h"
#include "models/vae/observation.h"

namespace gen::vae {

struct PartSection {
  const KindBase* kind;
  Component part;
  void visit(OptionVisitor& v) { v.component("part", part, *kind, "the part", {.required = true}); }
};

inline Component part_from(const KindBase& kind, const std::string& config) {
  Issues issues;
  PartSection section{&kind, {}};
  const auto document = Document::parse(R"({"part": )" + config + "}", "test", issues);
  load(document, section, issues);
  issues.throw_if_any();
  return section.part;
}

inline DataSpec image_spec(int64_t channels, int64_t height, int64_t width) {
  DataSpec data;
  data.shape = {channels, height, width};
  return data;
}

inline DataSpec point_spec(int64_t dims) {
  DataSpec data;
  data.kind = DataKind::points;
  data.shape = {dims};
  data.levels = 0;
  return data;
}

inline std::unique_ptr<Model> model_from(const std::string& config, const DataSpec& data) {
  seed_default_generators(1);
  return models().make(part_from(models(), config), data);
}

inline std::shared_ptr<ObservationModel> observation_from(const std::string& config, const DataSpec& data) {
  return observation_models().make(part_from(observation_models(), config), data);
}

inline Batch batch_of(const at::Tensor& x) {
  Batch batch;
  batch.x = x;
  for (int64_t i = 0; i < x.size(0); ++i) batch.indices.push_back(i);
  return batch;
}

}  // namespace gen::vae
