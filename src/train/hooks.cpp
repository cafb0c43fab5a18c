#include "train/hooks.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "gen/core/error.h"
#include "gen/core/finite.h"
#include "gen/core/log.h"
#include "gen/core/os_error.h"
#include "gen/core/units.h"
#include "gen/io/json_file.h"
#include "train/later_steps.h"
#include "train/non_finite.h"
#include "train/sample_grid.h"

namespace gen {
namespace {

bool due(int64_t every, int64_t step) { return every > 0 && step % every == 0; }

std::filesystem::path picture_path(const RunDir& run, int64_t step) {
  return run.samples() / fmt::format("step_{:08}.png", step);
}

}  // namespace

Hooks::Hooks(const RunDir& run, const ExperimentOptions& experiment, Session& session,
             Checkpointer& checkpoints, Progress& progress, SkipLog& skips)
    : run_(run),
      experiment_(experiment),
      options_(experiment.train),
      session_(session),
      checkpoints_(checkpoints),
      progress_(progress),
      skips_(skips),
      journal_(run, progress.step),
      status_(progress.step, options_.steps, options_.batch_size * options_.gradient_accumulation),
      elapsed_before_s_(progress.elapsed_s) {
  forget_later_steps(run, progress.step);
}

void Hooks::catch_up() {
  if (progress_.validation_owed && session_.validation) {
    validate_now();
    checkpoints_.replace(progress_);
  }
  if (progress_.step > 0 && due(options_.sample_every, progress_.step) &&
      !std::filesystem::exists(picture_path(run_, progress_.step)))
    sample_now();
}

void Hooks::after_step(const StepOutcome& outcome) {
  const int64_t step = progress_.step;
  progress_.last_loss = outcome.total;
  if (outcome.finite) {
    progress_.loss_sum += outcome.total;
    ++progress_.loss_count;
  }
  status_.update({step, outcome.total, outcome.grad_norm, outcome.learning_rate});
  if (due(options_.log_every, step)) log_step(outcome);
  journal_.tick();
  if (session_.validation && (due(options_.validate_every, step) || step == options_.steps)) validate_now();
  if (due(options_.checkpoint_every, step) || progress_.best_step == step) {
    note_elapsed();
    checkpoints_.save(progress_, /*last=*/false);
  }
  if (due(options_.sample_every, step)) sample_now();
}

void Hooks::log_step(const StepOutcome& outcome) {
  run_.check_in_place();
  Journal::TrainLine line;
  line.step = progress_.step;
  line.loss = outcome.total;
  line.loss_mean = progress_.loss_count > 0 ? progress_.loss_sum / static_cast<double>(progress_.loss_count)
                                            : outcome.total;
  for (const auto& [name, value] : outcome.loss.terms) line.terms.emplace_back(name, value.item<double>());
  line.grad_norm = outcome.grad_norm;
  line.learning_rate = outcome.learning_rate;
  line.samples_per_s = status_.samples_per_s();
  if (skips_.may_skip()) line.skipped_examples = skips_.count();
  journal_.train(line);
  progress_.loss_sum = 0;
  progress_.loss_count = 0;
}

void Hooks::validate_now() {
  run_.check_in_place();
  status_.pause();
  progress_.validation_owed = true;
  const ValidationScores scores = validate(session_, experiment_, progress_.step);
  skips_.add(progress_.step, Split::validation, scores.skipped);
  progress_.validation_owed = false;
  journal_.validation(progress_.step, scores);
  const bool best = record_validation(progress_, scores.loss, options_.early_stop.min_delta);
  status_.resume();
  status_.clear();
  log::info("step {}: validation loss {:.5g} over {} examples{}", progress_.step, scores.loss,
            scores.examples, best ? ", the best so far" : "");
  bad_validation_.clear();
  if (!std::isfinite(scores.loss)) {
    bad_validation_ = fmt::format("the validation loss is {}, in batches of the examples {}",
                                  non_finite_name(scores.loss), first_few(scores.non_finite));
    log::warning(
        "step {}: {}; it counts as no improvement (a lower learning rate or train.clip_grad_norm may keep it "
        "finite)",
        progress_.step, bad_validation_);
  }
  if (out_of_patience(progress_, options_.early_stop.patience))
    log::info("no improvement in {} validations: training stops early", progress_.stale_validations);
}

void Hooks::sample_now() {
  if (options_.sample_count == 0) return;
  status_.pause();
  std::optional<Image> image;
  bad_grid_.clear();
  try {
    image = sample_grid(session_, experiment_);
  } catch (const NumericalError& e) {  // training itself minds its losses and gradients (train.nan_policy)
    log::warning("no sample grid at step {}: {}", progress_.step, e.what());
    step_without_grid_ = progress_.step;
    bad_grid_ = e.what();
  }
  if (image) {
    try {
      run_.claim(picture_path(run_, progress_.step));
      std::error_code error;
      std::filesystem::create_directory(run_.samples(), error);
      if (error)
        throw IoError(fmt::format("{}: cannot create the folder: {}", run_.samples().string(),
                                  os_error_text(error.value())));
      write_png(picture_path(run_, progress_.step), *image, picture_notes(experiment_, progress_.step));
      journal_.picture(progress_.step, *image);
    } catch (const RunFolderGone&) {
      throw;
    } catch (const IoError& e) {
      log::warning("no sample grid at step {}: {}", progress_.step, e.what());
    }
  }
  status_.resume();
}

void Hooks::rewind() {
  forget_later_steps(run_, progress_.step);
  journal_.rewind(progress_.step);
  skips_.rewind(progress_.step);
}

void Hooks::note_elapsed() { progress_.elapsed_s = elapsed_before_s_ + status_.elapsed_s(); }

void Hooks::finish() {
  status_.clear();
  note_elapsed();
  checkpoints_.save(progress_, /*last=*/true);
  journal_.flush();
  const auto picture = picture_path(run_, progress_.step);
  if (!std::filesystem::exists(picture) && step_without_grid_ != progress_.step) sample_now();
  write_summary(std::filesystem::exists(picture));
}

void Hooks::stop() {
  status_.clear();
  note_elapsed();
  checkpoints_.save(progress_, /*last=*/true);
  journal_.flush();
}

std::string Hooks::not_finite() const {
  return bad_validation_.empty() || bad_grid_.empty() ? bad_validation_ + bad_grid_
                                                      : bad_validation_ + "; " + bad_grid_;
}

void Hooks::write_summary(bool sampled) {
  int64_t parameters = 0;
  for (const auto& [name, count] : parameter_counts(session_.model->module())) parameters += count;
  const double samples_per_step = static_cast<double>(options_.batch_size * options_.gradient_accumulation);
  Json summary{
      {"name", experiment_.name},
      {"step", progress_.step},
      {"stopped_early", out_of_patience(progress_, options_.early_stop.patience)},
      {"parameters", parameters},
      {"final_loss", progress_.last_loss},
      {"best_validation", progress_.best_validation ? Json(*progress_.best_validation) : Json(nullptr)},
      {"best_step", progress_.best_validation ? Json(progress_.best_step) : Json(nullptr)},
      {"non_finite_steps", progress_.non_finite_steps},
      {"skipped_examples", skips_.count()},
      {"elapsed_s", progress_.elapsed_s},
      {"samples_per_s",
       static_cast<double>(progress_.step) * samples_per_step / std::max(1e-9, progress_.elapsed_s)}};
  if (sampled)
    summary["samples"] = std::filesystem::relative(picture_path(run_, progress_.step), run_.path()).string();
  run_.claim(run_.summary());
  write_json(run_.summary(), summary);
  log::info("trained {} steps in {}: loss {:.5g}", progress_.step, human_duration(progress_.elapsed_s),
            progress_.last_loss);
}

}  // namespace gen
