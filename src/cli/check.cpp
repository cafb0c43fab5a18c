// gen check: everything that can be known of a config before training, or every mistake in it.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "cli/check_data.h"
#include "cli/error_text.h"
#include "cli/memory.h"
#include "cli/results.h"
#include "cli/table.h"
#include "cli/verb.h"
#include "gen/config/load.h"
#include "gen/core/log.h"
#include "gen/core/memory.h"
#include "gen/core/text.h"
#include "gen/core/units.h"
#include "gen/io/json_file.h"
#include "gen/train/experiment.h"
#include "gen/train/memory_needs.h"
#include "gen/train/parts.h"

namespace gen::cli {
namespace {

constexpr const char* kCheckExamples = R"(  gen check --config configs/vae/mnist.json --set data.path=mnist
  gen check --config photos.json --data                      are there pictures that cannot be read?
  gen check --config configs/flow/toy2d.json --json > resolved.json
)";

struct CheckFlags : SharedFlags {
  std::string config;
  bool data = false;
};

std::string words(const DataSpec& data) {
  std::string text =
      fmt::format("{} of {} {}", data.kind == DataKind::images ? "images" : "points",
                  fmt::join(data.shape, " x "), data.kind == DataKind::images ? "(C x H x W)" : "numbers");
  if (data.kind == DataKind::images)
    text += data.levels > 0 ? fmt::format(", {} levels", data.levels) : ", continuous";
  text += data.num_classes > 0 ? fmt::format(", {} classes", data.num_classes) : ", unlabelled";
  if (!data.class_names.empty())
    text += fmt::format(" ({})", printable_line(fmt::format("{}", fmt::join(data.class_names, ", "))));
  return text + (data.captions ? ", captioned" : "");
}

struct Report {
  ExperimentOptions experiment;
  DataSpec data;
  int64_t train_examples = 0;
  MemoryNeeds needs;
  std::optional<ActivationMemory> activations;  // none where they could not be measured for want of memory
  FreeMemory free;
  std::string too_large;  // what does not fit in this machine, and why
  int64_t total_bytes() const {
    return needs.lasting_bytes() + (activations ? activations->bytes : needs.batch_bytes);
  }
};

Json as_json(const Report& report) {
  const auto& [needs, activations] = std::tie(report.needs, report.activations);
  return {
      {"weights_bytes", needs.weights_bytes},
      {"gradients_bytes", needs.gradients_bytes},
      {"optimizer_bytes", needs.optimizer_bytes},
      {"ema_bytes", needs.ema_bytes},
      {"activation_bytes_per_example", activations ? Json(activations->bytes_per_example) : Json(nullptr)},
      {"activation_bytes", activations ? Json(activations->bytes) : Json(nullptr)},
      {"total_bytes", report.total_bytes()},
      {"free_bytes", report.free.bytes},
      {"fits", report.too_large.empty()}};
}

// Whether the model can be trained here is known from its shapes; what its activations take, from running it.
void measure(Model& model, Report& report) {
  const auto& experiment = report.experiment;
  const auto shown = [](int64_t bytes) { return human_bytes(static_cast<double>(bytes)); };
  try {
    report.activations = measure_activations(model, report.data, experiment.train);
  } catch (const TensorTooLarge& error) {
    report.too_large = fmt::format(
        "out of memory with four examples at a time ({}): a smaller model, or smaller examples, are needed",
        error.what());
    return;
  }
  if (report.total_bytes() > report.free.bytes)
    report.too_large = fmt::format(
        "a step with train.batch_size {} takes about {}, and {} are free ({}): halve it and double "
        "train.gradient_accumulation",
        experiment.train.batch_size, shown(report.total_bytes()), shown(report.free.bytes),
        report.free.bound);
}

void describe_data(const Dataset& data, Report& report) {
  report.data = data.spec();
  report.train_examples = data.size();
  report.needs = memory_needs(report.experiment, report.data);
}

Report examine(const ExperimentOptions& experiment) {
  Report report;
  report.experiment = experiment;
  report.free = free_memory();
  try {
    const Parts parts = build_parts(experiment, at::kCPU);
    for (const auto& warning : parts.warnings) log::warning("{}", warning);
    describe_data(*parts.data, report);
    measure(*parts.model, report);
  } catch (const OutOfMemoryError& error) {  // the model, which is not built then
    report.too_large = error.what();
    describe_data(*datasets().make(experiment.data, Split::train), report);
  }
  return report;
}

void print_json(const Report& report) {
  Json counts = Json::object();
  for (const auto& [name, count] : report.needs.parameters) counts[name] = count;
  const Json document = {
      {"config", dump(report.experiment)},       {"data", to_json(report.data)},
      {"train_examples", report.train_examples}, {"parameters", report.needs.num_parameters()},
      {"parameters_by_module", counts},          {"memory", as_json(report)}};
  results::print_json(document);
}

void print_text(const Report& report) {
  results::print("{}\n", json_text(dump(report.experiment)));
  results::print("data        {}; {} examples to train on\n", words(report.data), report.train_examples);
  results::print("parameters  {} ({})\n", human_count(report.needs.num_parameters()),
                 report.needs.num_parameters());
  std::vector<std::vector<std::string>> rows;
  for (const auto& [name, count] : report.needs.parameters)
    rows.push_back({"  ", name.empty() ? "(its own)" : name, fmt::format("{:>12}", count)});
  results::print("{}", table({}, rows));
  const auto shown = [](int64_t bytes) { return human_bytes(static_cast<double>(bytes)); };
  results::print("memory      about {} to train, fp32, beside LibTorch and the data; {} are free ({})\n",
                 shown(report.total_bytes()), shown(report.free.bytes), report.free.bound);
  const auto& activations = report.activations;
  results::print(
      "{}",
      table({}, {{"  ", "weights", shown(report.needs.weights_bytes)},
                 {"  ", "gradients", shown(report.needs.gradients_bytes)},
                 {"  ", "optimizer", shown(report.needs.optimizer_bytes)},
                 {"  ", "ema", shown(report.needs.ema_bytes)},
                 {"  ", "activations",
                  activations
                      ? fmt::format("{} ({} an example, measured, batch {})", shown(activations->bytes),
                                    shown(activations->bytes_per_example), report.experiment.train.batch_size)
                      : "not measured, as the rest does not fit"}}));
}

ExitCode read_all(const ExperimentOptions& experiment, const CheckFlags& flags) {
  if (!dump(experiment.data).contains("on_error")) return check_data(experiment, flags.json, flags.quiet);
  auto sets = given_sets(flags);
  sets.emplace_back("data.on_error=skip");
  return check_data(load_experiment(flags.config, sets), flags.json, flags.quiet);
}

ExitCode run(const CheckFlags& flags) {
  need(flags.config, "check", "--config", "gen check --config configs/vae/shapes.json");
  results::need_stdout("check");
  const auto experiment = load_experiment(flags.config, given_sets(flags));
  if (flags.data) return read_all(experiment, flags);
  const Report report = examine(experiment);
  if (flags.json)
    print_json(report);
  else
    print_text(report);
  if (report.too_large.empty()) return ExitCode::ok;
  print_error(report.too_large);
  return ExitCode::out_of_memory;
}

}  // namespace

void add_check(CLI::App& app, Action& action) {
  auto flags = std::make_shared<CheckFlags>();
  CLI::App* verb =
      add_verb(app, "check", "Check a config: what it resolves to, its size and memory, or every mistake.",
               kCheckExamples);
  verb->add_option("--config", flags->config, "the config file")->option_text("FILE");
  verb->add_flag("--data", flags->data,
                 "instead: read every example of every split once, tell those that cannot be read");
  add_set_flag(*verb, *flags);
  add_quiet_flag(*verb, *flags);
  add_json_flag(*verb, *flags);
  verb->callback([&action, flags] { action = [flags] { return run(*flags); }; });
}

}  // namespace gen::cli
