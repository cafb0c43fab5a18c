#include "gen/train/parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "gen/config/load.h"
#include "gen/config/option_error.h"
#include "gen/metrics/metric.h"
#include "gen/train/memory_needs.h"
#include "gen/train/optimizer.h"
#include "train/session.h"

namespace gen {
namespace {

/// " (data.validation_fraction holds some out)": the option of the data that decides how many examples `split` has.
std::string way_to_hold_out(const Component& data, Split split) {
  Component resolved = data;
  datasets().resolve(resolved);
  for (const auto& field : describe_options([&](OptionVisitor& v) { resolved.options->visit(v); })) {
    const bool named = field.key == "num_held_out" || field.key.starts_with(to_string(split));
    if (named && (field.type == "integer" || field.type == "number"))
      return fmt::format(" (data.{} holds some out)", field.key);
  }
  return "";
}

void check_training(const ExperimentOptions& experiment, Parts& parts, OptionMistakes& mistakes) {
  const TrainOptions& train = experiment.train;
  const int64_t examples = parts.data->size();
  if (examples == 0)
    mistakes.add("/data", "expected examples to train on, got none (is everything held out?)");
  else if (train.batch_size > examples)
    parts.warnings.push_back(
        fmt::format("{}: each batch of {} holds some of the {} training examples more than once",
                    experiment.where("/train/batch_size"), train.batch_size, examples));
  if (parts.validation) return;
  const std::string none =
      "where no examples are held out for validation" + way_to_hold_out(experiment.data, Split::validation);
  if (train.early_stop.patience > 0)
    mistakes.add("/train/early_stop/patience",
                 fmt::format("expected 0, never to stop early, {}, got {}", none, train.early_stop.patience));
  if (train.validate_every > 0)
    mistakes.add("/train/validate_every", fmt::format("expected 0 {}, got {}", none, train.validate_every));
}

/// What the config asks for and its steps are too few for.
void warn_of_what_never_comes(const ExperimentOptions& experiment, Parts& parts) {
  const TrainOptions& train = experiment.train;
  const int64_t patience = train.early_stop.patience;
  if (patience > 0 && train.validate_every > 0 && train.steps / train.validate_every <= patience)
    parts.warnings.push_back(
        fmt::format("{}: in {} steps are {} validations, too few to stop early after {} without improvement",
                    experiment.where("/train/early_stop/patience"), train.steps,
                    train.steps / train.validate_every, patience));
  const auto schedule = lr_schedules().make(train.lr_schedule);
  const auto factor = [&](int64_t step) { return schedule->factor(step, train.steps); };
  if (train.steps > 1 && factor(train.steps - 1) < 1 && factor(train.steps - 1) > factor(train.steps - 2))
    parts.warnings.push_back(
        fmt::format("{}: the learning rate is still warming up at the last of the {} steps: it comes to "
                    "{:.0f} % of its value",
                    experiment.where("/train/lr_schedule"), train.steps, 100 * factor(train.steps - 1)));
}

/// Whether the split that `gen eval` will score has examples. A config that says nothing of evaluation is warned only, and
/// so is one whose test files are not there yet.
void check_split_to_score(const ExperimentOptions& experiment, Parts& parts, OptionMistakes& mistakes) {
  const EvalOptions& eval = experiment.eval;
  const Split split = split_named(eval.split);
  if (split == Split::train || (split == Split::validation && parts.validation)) return;
  try {
    if (split == Split::test && datasets().make(experiment.data, split)->size() > 0) return;
  } catch (const DataError& error) {
    parts.warnings.push_back(fmt::format("{}: gen eval has no {} split to score: {}",
                                         experiment.where("/eval/split"), eval.split, error.what()));
    return;
  }
  const std::string text =
      fmt::format("expected a split with examples, got \"{}\", for which none are held out{}", eval.split,
                  way_to_hold_out(experiment.data, split));
  const bool meant = eval.split != EvalOptions().split || !eval.metrics.empty() || eval.limit > 0;
  if (meant)
    mistakes.add("/eval/split", text);
  else
    parts.warnings.push_back(fmt::format("{}: {}", experiment.where("/eval/split"), text));
}

}  // namespace

at::ScalarType sampling_dtype(const SampleOptions& options) {
  return options.precision == Precision::bf16 ? at::kBFloat16 : at::kFloat;
}

void name_mistakes(const ExperimentOptions& experiment, const std::function<void()>& work) {
  static constexpr std::array kSections = {"/model", "/data", "/train", "/sample", "/eval"};
  const auto section = [](const OptionMistake& mistake) {
    return std::find_if(kSections.begin(), kSections.end(),
                        [&](const char* each) { return mistake.pointer.starts_with(each); });
  };
  try {
    work();
  } catch (const OptionError& error) {
    auto mistakes = error.mistakes();
    std::stable_sort(mistakes.begin(), mistakes.end(),
                     [&](const auto& a, const auto& b) { return section(a) < section(b); });
    for (auto& mistake : mistakes) mistake.pointer = experiment.where(mistake.pointer);
    throw OptionError(std::move(mistakes));
  }
}

namespace {

void check_section_sample(const Model& model, const SampleOptions& options) {
  SampleRequest request;
  request.sampler = options.sampler;
  request.temperature = options.temperature;
  OptionMistakes mistakes;
  mistakes.gather("/sample", [&] { model.check_sampling(request, sampling_dtype(options)); });
  mistakes.throw_if_any();
}

void build(const ExperimentOptions& experiment, at::Device device, Parts& parts) {
  parts.data = made_within("/data", [&] { return datasets().make(experiment.data, Split::train); });
  parts.validation =
      made_within("/data", [&] { return datasets().make(experiment.data, Split::validation); });
  if (parts.validation->size() == 0) parts.validation = nullptr;

  OptionMistakes mistakes;
  check_training(experiment, parts, mistakes);
  warn_of_what_never_comes(experiment, parts);
  const DataSpec& data = parts.data->spec();
  const auto make_model = [&] {
    if (device.is_cpu()) require_memory_to_train(memory_needs(experiment, data), experiment);
    parts.model = build_model(experiment, data, device);
  };
  if (mistakes.gather("/model", make_model)) {
    mistakes.gather("", [&] { check_section_sample(*parts.model, experiment.sample); });
    mistakes.gather("/eval", [&] { make_metrics(experiment.eval.metrics, *parts.model, data); });
  }
  check_split_to_score(experiment, parts, mistakes);
  mistakes.throw_if_any();
}

}  // namespace

void check_sampling(const Model& model, const ExperimentOptions& experiment) {
  name_mistakes(experiment, [&] { check_section_sample(model, experiment.sample); });
}

Parts build_parts(const ExperimentOptions& experiment, at::Device device) {
  Parts parts;
  name_mistakes(experiment, [&] { build(experiment, device, parts); });
  return parts;
}

}  // namespace gen
