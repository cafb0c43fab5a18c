// gen check: everything that can be known of a config before training, or every mistake in it.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "cli/check_data.h"
#include "cli/memory.h"
#include "cli/results.h"
#include "cli/table.h"
#include "cli/verb.h"
#include "gen/config/load.h"
#include "gen/core/log.h"
#include "gen/core/text.h"
#include "gen/core/units.h"
#include "gen/io/json_file.h"
#include "gen/train/experiment.h"
#include "gen/train/parts.h"

namespace gen::cli {
namespace {

constexpr const char* kExamples = R"(  gen check --config configs/vae/mnist.json --set data.path=mnist
  gen check --config photos.json --data                      are there pictures that cannot be read?
  gen check --config configs/flow/toy2d.json --json > resolved.json
)";

struct Flags : SharedFlags {
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

Json as_json(const MemoryEstimate& memory) {
  return {{"weights_bytes", memory.weights_bytes},
          {"gradients_bytes", memory.gradients_bytes},
          {"optimizer_bytes", memory.optimizer_bytes},
          {"ema_bytes", memory.ema_bytes},
          {"activation_bytes_per_example", memory.activation_bytes_per_example},
          {"activation_bytes", memory.activation_bytes},
          {"total_bytes", memory.total_bytes()}};
}

struct Report {
  ExperimentOptions experiment;
  DataSpec data;
  int64_t train_examples = 0;
  std::vector<std::pair<std::string, int64_t>> parameters;
  int64_t total_parameters = 0;
  MemoryEstimate memory;
};

Report examine(const ExperimentOptions& experiment) {
  Report report;
  report.experiment = experiment;
  const Parts parts = build_parts(experiment, at::kCPU);
  for (const auto& warning : parts.warnings) log::warning("{}", warning);
  report.data = parts.data->spec();
  report.train_examples = parts.data->size();
  report.parameters = parameter_counts(parts.model->module());
  for (const auto& [name, count] : report.parameters) report.total_parameters += count;
  report.memory = estimate_memory(*parts.model, report.data, experiment.train);
  return report;
}

void print_json(const Report& report) {
  Json counts = Json::object();
  for (const auto& [name, count] : report.parameters) counts[name] = count;
  const Json document = {{"config", dump(report.experiment)},       {"data", to_json(report.data)},
                         {"train_examples", report.train_examples}, {"parameters", report.total_parameters},
                         {"parameters_by_module", counts},          {"memory", as_json(report.memory)}};
  results::print_json(document);
}

void print_text(const Report& report) {
  results::print("{}\n", json_text(dump(report.experiment)));
  results::print("data        {}; {} examples to train on\n", words(report.data), report.train_examples);
  results::print("parameters  {} ({})\n", human_count(report.total_parameters), report.total_parameters);
  std::vector<std::vector<std::string>> rows;
  for (const auto& [name, count] : report.parameters)
    rows.push_back({"  ", name.empty() ? "(its own)" : name, fmt::format("{:>12}", count)});
  results::print("{}", table({}, rows));
  const auto& memory = report.memory;
  results::print("memory      about {} to train, fp32, beside LibTorch and the data\n",
                 human_bytes(static_cast<double>(memory.total_bytes())));
  const auto shown = [](int64_t bytes) { return human_bytes(static_cast<double>(bytes)); };
  results::print(
      "{}", table({}, {{"  ", "weights", shown(memory.weights_bytes)},
                       {"  ", "gradients", shown(memory.gradients_bytes)},
                       {"  ", "optimizer", shown(memory.optimizer_bytes)},
                       {"  ", "ema", shown(memory.ema_bytes)},
                       {"  ", "activations",
                        fmt::format("{} ({} an example, measured, batch {})", shown(memory.activation_bytes),
                                    shown(memory.activation_bytes_per_example),
                                    report.experiment.train.batch_size)}}));
}

ExitCode read_all(const ExperimentOptions& experiment, const Flags& flags) {
  if (!dump(experiment.data).contains("on_error")) return check_data(experiment, flags.json, flags.quiet);
  auto sets = flags.sets;
  sets.emplace_back("data.on_error=skip");
  return check_data(load_experiment(flags.config, sets), flags.json, flags.quiet);
}

ExitCode run(const Flags& flags) {
  need(flags.config, "check", "--config", "gen check --config configs/vae/shapes.json");
  results::need_stdout("check");
  const auto experiment = load_experiment(flags.config, flags.sets);
  if (flags.data) return read_all(experiment, flags);
  const Report report = examine(experiment);
  if (flags.json)
    print_json(report);
  else
    print_text(report);
  return ExitCode::ok;
}

}  // namespace

void add_check(CLI::App& app, Action& action) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verb = add_verb(
      app, "check", "Check a config: what it resolves to, its size and memory, or every mistake.", kExamples);
  verb->add_option("--config", flags->config, "the config file")->option_text("FILE");
  verb->add_flag("--data", flags->data,
                 "instead: read every example of every split once, tell those that cannot be read");
  add_set_flag(*verb, *flags);
  add_quiet_flag(*verb, *flags);
  add_json_flag(*verb, *flags);
  verb->callback([&action, flags] { action = [flags] { return run(*flags); }; });
}

}  // namespace gen::cli
