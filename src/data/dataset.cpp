#include "gen/data/dataset.h"

#include <ATen/ATen.h>

#include <nlohmann/json.hpp>

#include "gen/core/error.h"

namespace gen {
namespace {

const char* to_string(DataKind kind) { return kind == DataKind::images ? "images" : "points"; }

DataKind kind_from(const std::string& name) {
  if (name == "images") return DataKind::images;
  if (name == "points") return DataKind::points;
  throw DataError(fmt::format("data spec: /kind: expected \"images\" or \"points\", got \"{}\"", name));
}

void check(const DataSpec& spec) {
  const size_t rank = spec.kind == DataKind::images ? 3 : 1;
  const bool positive = std::all_of(spec.shape.begin(), spec.shape.end(), [](int64_t n) { return n > 0; });
  if (spec.shape.size() != rank || !positive)
    throw DataError(fmt::format("data spec: /shape: expected {} positive sizes for {}, got [{}]", rank,
                                to_string(spec.kind), fmt::join(spec.shape, ", ")));
  if (spec.num_classes < 0) throw DataError("data spec: /num_classes: expected 0 or more");
  if (!spec.class_names.empty() && static_cast<int64_t>(spec.class_names.size()) != spec.num_classes)
    throw DataError(fmt::format("data spec: /class_names: expected none or {} names, got {}",
                                spec.num_classes, spec.class_names.size()));
  if (spec.levels < 0 || spec.levels == 1)
    throw DataError(fmt::format("data spec: /levels: expected 0 or at least 2, got {}", spec.levels));
  if (spec.padding != 0 && (spec.padding < 0 || spec.padding >= spec.dims()))
    throw DataError(fmt::format("data spec: /padding: expected a part of the {} dims, got {}", spec.dims(),
                                spec.padding));
}

}  // namespace

int64_t DataSpec::dims() const {
  int64_t product = 1;
  for (const int64_t n : shape) product *= n;
  return product;
}

Json to_json(const DataSpec& spec) {
  return Json{{"kind", to_string(spec.kind)},    {"shape", spec.shape},   {"num_classes", spec.num_classes},
              {"class_names", spec.class_names}, {"levels", spec.levels}, {"captions", spec.captions},
              {"padding", spec.padding}};
}

DataSpec data_spec_from_json(const Json& value) {
  DataSpec spec;
  try {
    spec.kind = kind_from(value.at("kind").get<std::string>());
    value.at("shape").get_to(spec.shape);
    value.at("num_classes").get_to(spec.num_classes);
    value.at("class_names").get_to(spec.class_names);
    value.at("levels").get_to(spec.levels);
    value.at("captions").get_to(spec.captions);
    spec.padding = value.value("padding", int64_t{0});  // of a run that knew no padding
  } catch (const nlohmann::json::exception& error) {
    throw DataError(
        fmt::format("data spec: expected the fields kind, shape, num_classes, class_names, levels and "
                    "captions as gen writes them: {}",
                    error.what()));
  }
  check(spec);
  return spec;
}

Batch Batch::to(at::Device device) const {
  Batch moved = *this;
  if (x.defined()) moved.x = x.to(device);
  if (label.defined()) moved.label = label.to(device);
  return moved;
}

const char* to_string(Split split) {
  switch (split) {
    case Split::train:
      return "train";
    case Split::validation:
      return "validation";
    case Split::test:
      return "test";
  }
  return "";
}

Split split_named(const std::string& name) {
  for (const Split split : {Split::train, Split::validation, Split::test})
    if (name == to_string(split)) return split;
  throw ConfigError(fmt::format("expected a split, train, validation or test, got \"{}\"", name));
}

at::Tensor Dataset::log_density(const at::Tensor&) const { return {}; }

}  // namespace gen
