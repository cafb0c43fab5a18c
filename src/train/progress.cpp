#include "train/progress.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "gen/io/finite_json.h"

namespace gen {

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

Progress progress_from_json(const Json& value) {
  Progress p;
  value.at("step").get_to(p.step);
  value.at("updates").get_to(p.updates);
  value.at("skipped_batches").get_to(p.skipped_batches);
  value.at("non_finite_steps").get_to(p.non_finite_steps);
  p.loss_sum = number_from(value.at("loss_sum"));
  value.at("loss_count").get_to(p.loss_count);
  p.last_loss = number_from(value.at("last_loss"));  // may be of a step that was left out
  if (!value.at("best_validation").is_null()) p.best_validation = value.at("best_validation").get<double>();
  value.at("best_step").get_to(p.best_step);
  value.at("stale_validations").get_to(p.stale_validations);
  p.validation_owed = value.value("validation_owed", false);
  value.at("elapsed_s").get_to(p.elapsed_s);
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
