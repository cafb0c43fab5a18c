#include "gen/data/dataset.h"

#include <ATen/ATen.h>

#include <nlohmann/json.hpp>

#include "gen/core/error.h"
#include "gen/core/text.h"

namespace gen {
namespace {

const char* to_string(DataKind kind) { return kind == DataKind::images ? "images" : "points"; }

// Beyond these a spec was mistyped or forged; products of sizes stay far from overflow.
constexpr int64_t kMostDims = int64_t{1} << 40;
constexpr int64_t kMostClasses = int64_t{1} << 31;

DataKind kind_of(const JsonFields& fields) {
  const auto name = fields.get<std::string>("kind");
  if (name == "images") return DataKind::images;
  if (name == "points") return DataKind::points;
  throw DataError(fmt::format("{}: expected \"images\" or \"points\", got \"{}\"", fields.where("kind"),
                              printable_line(name)));
}

bool positive_and_bounded(const std::vector<int64_t>& shape) {
  int64_t product = 1;
  for (const int64_t n : shape) {
    if (n <= 0 || n > kMostDims / product) return false;
    product *= n;
  }
  return true;
}

void check(const DataSpec& spec, const JsonFields& fields) {
  const size_t rank = spec.kind == DataKind::images ? 3 : 1;
  if (spec.shape.size() != rank || !positive_and_bounded(spec.shape))
    throw DataError(fmt::format("{}: expected {} positive sizes for {}, got [{}]", fields.where("shape"),
                                rank, to_string(spec.kind), fmt::join(spec.shape, ", ")));
  if (spec.num_classes < 0 || spec.num_classes > kMostClasses)
    throw DataError(fmt::format("{}: expected an integer in [0, {}], got {}", fields.where("num_classes"),
                                kMostClasses, spec.num_classes));
  if (!spec.class_names.empty() && static_cast<int64_t>(spec.class_names.size()) != spec.num_classes)
    throw DataError(fmt::format("{}: expected none or {} names, got {}", fields.where("class_names"),
                                spec.num_classes, spec.class_names.size()));
  if (spec.padding < 0 || (spec.padding > 0 && spec.padding >= spec.dims()))
    throw DataError(fmt::format("{}: expected a part of the {} dims, got {}", fields.where("padding"),
                                spec.dims(), spec.padding));
  if (spec.levels < 0 || spec.levels == 1)
    throw DataError(fmt::format("{}: expected 0 or at least 2, got {}", fields.where("levels"), spec.levels));
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

DataSpec data_spec_from_json(const JsonFields& fields) {
  DataSpec spec;
  spec.kind = kind_of(fields);
  spec.shape = fields.get<std::vector<int64_t>>("shape");
  spec.num_classes = fields.get<int64_t>("num_classes");
  spec.class_names = fields.get<std::vector<std::string>>("class_names");
  spec.levels = fields.get<int64_t>("levels");
  spec.captions = fields.get<bool>("captions");
  spec.padding = fields.get_or<int64_t>("padding", 0);  // of a run that knew no padding
  check(spec, fields);
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
