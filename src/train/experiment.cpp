#include "gen/train/experiment.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "gen/data/dataset.h"
#include "gen/diffusion/sampler.h"
#include "gen/metrics/metric.h"
#include "gen/models/model.h"
#include "gen/train/optimizer.h"

namespace gen {
namespace {

constexpr std::array<std::pair<const char*, Precision>, 3> kPrecisions{
    {{"fp32", Precision::fp32}, {"bf16", Precision::bf16}, {"fp16", Precision::fp16}}};
constexpr std::array<std::pair<const char*, Precision>, 2> kSamplingPrecisions{
    {{"fp32", Precision::fp32}, {"bf16", Precision::bf16}}};
constexpr std::array<std::pair<const char*, NanPolicy>, 3> kNanPolicies{
    {{"error", NanPolicy::error}, {"skip", NanPolicy::skip}, {"rollback", NanPolicy::rollback}}};

// Counts beyond these are mistyped, not meant.
constexpr double kMaxSteps = 1e12;
constexpr double kMaxCount = 1e9;
constexpr double kMaxThreads = 1024;

}  // namespace

void EmaOptions::visit(OptionVisitor& v) {
  v.field("decay", decay,
          "averages the weights as w' = d w' + (1 - d) w with d = min(decay, (1 + n) / (10 + n)) at update "
          "n; null: off",
          {.min = 0, .max = 1, .exclusive_max = true});
  v.field("half_life_samples", half_life_samples,
          "instead of decay: the training samples after which a weight counts half (Karras et al. 2022), at "
          "most 5 % of "
          "those seen so far; null: off",
          {.min = 0, .exclusive_min = true});
  v.require(!(decay && half_life_samples), "half_life_samples",
            "null where decay is given (choose one of them)",
            fmt::format("{}", half_life_samples.value_or(0)));
}

void EarlyStopOptions::visit(OptionVisitor& v) {
  v.field("patience", patience, "validations in a row without improvement before training stops; 0: never",
          {.min = 0, .max = kMaxCount});
  v.field("min_delta", min_delta, "how much less the validation loss must be to count as an improvement",
          {.min = 0});
}

void TrainOptions::visit(OptionVisitor& v) {
  v.field("steps", steps, "optimizer steps", {.min = 1, .max = kMaxSteps});
  v.field("batch_size", batch_size, "examples in one forward pass", {.min = 1, .max = kMaxCount});
  v.field("gradient_accumulation", gradient_accumulation,
          "forward passes whose gradients are averaged into one step", {.min = 1, .max = kMaxCount});
  v.component("optimizer", optimizer, optimizers(), "what turns gradients into updates", {.required = true});
  v.component("lr_schedule", lr_schedule, lr_schedules(), "factor on the learning rate over the steps",
              {.required = true});
  v.field("clip_grad_norm", clip_grad_norm, "largest L2 norm of all gradients together; 0: no clipping",
          {.min = 0});
  v.section("ema", ema, "exponential moving average of the weights, used to validate and to sample");
  v.choice("precision", precision, kPrecisions,
           "of matrix products and convolutions: fp32, or autocast to bf16 (CPU, CUDA) or fp16 (CUDA, with a "
           "loss scaler)");
  v.choice("nan_policy", nan_policy, kNanPolicies,
           "on a non-finite loss or gradient: stop with an error, skip the step, or roll back to the last "
           "checkpoint "
           "and go on with the data after it");
  v.field("nan_budget", nan_budget, "non-finite steps that skip and rollback allow",
          {.min = 0, .max = kMaxCount});
  v.field("checkpoint_every", checkpoint_every, "steps between checkpoints; 0: only at the end",
          {.min = 0, .max = kMaxSteps});
  v.field("keep_last", keep_last, "newest checkpoints to keep, besides the best",
          {.min = 1, .max = kMaxCount});
  v.field("log_every", log_every, "steps between lines of metrics.jsonl", {.min = 1, .max = kMaxSteps});
  v.field("validate_every", validate_every, "steps between validations; 0: only at the end",
          {.min = 0, .max = kMaxSteps});
  v.field("validation_batches", validation_batches,
          "batches of the validation split to average over: a fixed random part where there are more",
          {.min = 1, .max = kMaxCount});
  v.field("sample_every", sample_every, "steps between sample grids; 0: only at the end",
          {.min = 0, .max = kMaxSteps});
  v.field("sample_count", sample_count, "samples in a grid; 0: no grids", {.min = 0, .max = 65536});
  v.section("early_stop", early_stop, "stops when the validation loss no longer falls");
  v.field("data_workers", data_workers, "threads that prepare batches; 0: the training thread does",
          {.min = 0, .max = kMaxThreads});
  v.field("threads", threads, "threads that compute; 0: all cores", {.min = 0, .max = kMaxThreads});
  v.field("shuffle", shuffle, "a new order of the examples in each epoch");
  v.require(early_stop.patience == 0 || validate_every > 0, "validate_every",
            "at least 1 where early_stop is on", fmt::format("{}", validate_every));
}

void SampleOptions::visit(OptionVisitor& v) {
  v.field("count", count, "samples to draw", {.min = 1, .max = kMaxCount});
  v.field("batch_size", batch_size, "samples drawn at once; changes speed and memory, not the samples",
          {.min = 1, .max = kMaxCount});
  v.component(
      "sampler", sampler, samplers(),
      "how an iterative model samples; null: the model's default; options without a type are the default's",
      {.usual_type = kDefaultSampler});
  v.choice("precision", precision, kSamplingPrecisions, "of the network of an iterative model: fp32 or bf16");
  v.field("temperature", temperature,
          "factor on the draws from the prior of a vae or a flow; a diffusion takes only 1",
          {.min = 0, .exclusive_min = true});
}

void EvalOptions::visit(OptionVisitor& v) {
  v.components("metrics", metrics, gen::metrics(), "scores to compute; empty: all that the model can answer");
  v.field("split", split, "the examples to score", {.choices = {"train", "validation", "test"}});
  v.field("batch_size", batch_size, "examples scored at once", {.min = 1, .max = kMaxCount});
  v.field("limit", limit, "examples to score, a fixed random part of the split; 0: all",
          {.min = 0, .max = kMaxSteps});
}

void ExperimentOptions::visit(OptionVisitor& v) {
  v.field("name", name,
          "of the run folder, runs/<name>; empty: <model type>-<config file>, or -<data type> "
          "where the config comes from a pipe");
  v.field("seed", seed, "decides all randomness", {.min = 0});
  v.field("device", device, "\"cpu\", \"cuda\", \"cuda:N\", or \"auto\": cuda where there is one");
  v.component("model", model, models(), "the family to train", {.required = true});
  v.component("data", data, datasets(), "what to train it on", {.required = true});
  v.section("train", train, "the training loop");
  v.section("sample", sample, "gen sample");
  v.section("eval", eval, "gen eval");
  v.require(!(train.precision == Precision::fp16 && device == "cpu"), "device",
            "cuda where train.precision is fp16 (on a CPU use bf16)", "\"cpu\"");
  v.require(name.find('/') == std::string::npos && name != "." && name != "..", "name",
            "a folder name without \"/\"", fmt::format("\"{}\"", name));
}

struct ExperimentSources {
  Document document;
  std::vector<Setting> settings;
};

namespace {

std::string key_of(const Setting& setting) {
  return setting.assignment.substr(0, setting.assignment.find('='));
}

std::string pointer_of(const Setting& setting) {
  std::string pointer = "/" + key_of(setting);
  std::replace(pointer.begin(), pointer.end(), '.', '/');
  return pointer;
}

bool is_at_or_below(const std::string& pointer, const std::string& place) {
  return pointer == place || pointer.starts_with(place + "/");
}

// A document calls what was put over it "--set KEY: /pointer", and the user typed a flag.
std::string with_flags_named(const std::string& mistakes, const std::vector<Setting>& settings) {
  std::string named;
  std::istringstream lines(mistakes);
  for (std::string line; std::getline(lines, line);) {
    for (const auto& setting : settings) {
      const std::string set = "--set " + key_of(setting) + ": /";
      if (!setting.flag.empty() && line.starts_with(set))
        line = setting.flag + line.substr(std::min(line.find(": ", set.size()), line.size()));
    }
    named += (named.empty() ? "" : "\n") + line;
  }
  return named;
}

// Somebody else's file in the place of a config: one sentence instead of a mistake for each of its keys.
void refuse_configs_of_others(const Json& root, const std::filesystem::path& config) {
  const auto text = [&](const char* key) {
    const auto found = root.find(key);
    return found != root.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  if (root.contains("model")) return;
  std::string what;
  if (root.contains("_class_name") || root.contains("_diffusers_version"))
    what =
        fmt::format("of diffusers ({})", text("_class_name").empty() ? "of no class" : text("_class_name"));
  else if (root.contains("model_type") || root.contains("architectures"))
    what =
        fmt::format("of transformers ({})", text("model_type").empty() ? "of no type" : text("model_type"));
  else
    return;
  throw ConfigError(fmt::format(
      "{}: expected a config of gen, got one {} (gen forward runs a network of diffusers by its "
      "folder, and gen train --init-from begins at its weights; configs/ has configs to start from)",
      config.string(), what));
}

}  // namespace

std::string ExperimentOptions::where(const std::string& pointer) const {
  if (!sources) return pointer;
  const auto& settings = sources->settings;
  for (auto setting = settings.rbegin(); setting != settings.rend(); ++setting) {
    const std::string set = pointer_of(*setting);
    if (is_at_or_below(pointer, set) || is_at_or_below(set, pointer))
      return setting->flag.empty() ? fmt::format("--set {}: {}", key_of(*setting), pointer) : setting->flag;
  }
  return sources->document.where(pointer);
}

ExperimentOptions load_experiment(const std::filesystem::path& config, const std::vector<Setting>& sets,
                                  const LoadPolicy& policy) {
  Issues issues;
  Document document = Document::read(config, issues);
  if (document.root().empty()) issues.throw_if_any();  // nothing could be read
  refuse_configs_of_others(document.root(), config);
  for (const auto& set : sets) document.set(set.assignment, issues);
  ExperimentOptions experiment;
  load(document, experiment, issues, "", policy);
  try {
    issues.throw_if_any();
  } catch (const ConfigError& error) {
    throw ConfigError(with_flags_named(error.what(), sets));
  }
  experiment.sources = std::make_shared<ExperimentSources>(ExperimentSources{std::move(document), sets});
  if (experiment.name.empty()) {
    const bool file = is_named_file(config);  // a pipe has no name that says anything
    experiment.name =
        fmt::format("{}-{}", experiment.model.type, file ? config.stem().string() : experiment.data.type);
  }
  return experiment;
}

}  // namespace gen
