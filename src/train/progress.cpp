#include "train/progress.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "gen/core/error.h"

namespace gen {
namespace {

int64_t count(const JsonFields& fields, const char* key) {
  constexpr int64_t kMost = int64_t{1} << 40;  // times a batch size it is far from overflow
  const auto value = fields.get<int64_t>(key);
  if (value < 0 || value > kMost)
    throw DataError(fmt::format("{}: expected a count in [0, {}], got {}", fields.where(key), kMost, value));
  return value;
}

}  // namespace

Json to_json(const Progress& p) {
  return {{"step", p.step},
          {"updates", p.updates},
          {"skipped_batches", p.skipped_batches},
          {"non_finite_steps", p.non_finite_steps},
          {"loss_sum", p.loss_sum},
          {"loss_count", p.loss_count},
          {"last_loss", p.last_loss},
          {"best_validation", p.best_validation ? Json(*p.best_validation) : Json(nullptr)},
          {"best_step", p.best_step},
          {"stale_validations", p.stale_validations},
          {"validation_owed", p.validation_owed},
          {"elapsed_s", p.elapsed_s}};
}

Progress progress_from_json(const JsonFields& fields) {
  Progress p;
  p.step = count(fields, "step");
  p.updates = count(fields, "updates");
  p.skipped_batches = count(fields, "skipped_batches");
  p.non_finite_steps = count(fields, "non_finite_steps");
  p.loss_sum = fields.get<double>("loss_sum");
  p.loss_count = count(fields, "loss_count");
  p.last_loss = fields.get<double>("last_loss");
  if (!fields.is_null("best_validation")) p.best_validation = fields.get<double>("best_validation");
  p.best_step = count(fields, "best_step");
  p.stale_validations = count(fields, "stale_validations");
  p.validation_owed = fields.get_or("validation_owed", false);
  p.elapsed_s = fields.get<double>("elapsed_s");
  return p;
}

bool out_of_patience(const Progress& progress, int64_t patience) {
  return patience > 0 && progress.stale_validations >= patience;
}

bool record_validation(Progress& progress, double loss, double min_delta) {
  const bool better =
      std::isfinite(loss) && (!progress.best_validation || loss < *progress.best_validation - min_delta);
  if (better) {
    progress.best_validation = loss;
    progress.best_step = progress.step;
    progress.stale_validations = 0;
  } else {
    ++progress.stale_validations;
  }
  return better;
}

}  // namespace gen
