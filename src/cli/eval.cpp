// gen eval: scores a trained model on held-out data.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/torch.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/progress_line.h"
#include "cli/run_data.h"
#include "cli/table.h"
#include "cli/verb.h"
#include "gen/config/load.h"
#include "gen/core/log.h"
#include "gen/data/loader.h"
#include "gen/io/run_dir.h"
#include "gen/metrics/metric.h"
#include "gen/train/trainer.h"

namespace gen::cli {
namespace {

constexpr const char* kExamples =
    R"(  gen eval --run runs/vae-shapes                            every score the model can give, on the test split
  gen eval --run runs/vae-mnist --split validation --limit 1000
  gen eval --run runs/flow-mnist --metric bits_per_dim --json
  gen eval --run runs/vae-mnist --set data.path=mnist       where the data lie elsewhere now
)";

struct Flags : SharedFlags {
  std::string run, split;
  std::vector<std::string> metrics;
  std::optional<int64_t> limit, batch_size;
  bool raw = false;
};

std::vector<std::string> sets_of(const Flags& flags) {
  auto sets = flags.sets;
  if (!flags.split.empty()) sets.push_back("eval.split=" + flags.split);
  if (flags.limit) sets.push_back(fmt::format("eval.limit={}", *flags.limit));
  if (flags.batch_size) sets.push_back(fmt::format("eval.batch_size={}", *flags.batch_size));
  if (!flags.metrics.empty()) {
    Json chosen = Json::array();
    for (const auto& type : flags.metrics) chosen.push_back({{"type", type}});
    sets.push_back("eval.metrics=" + chosen.dump());
  }
  return sets;
}

// The metrics the config names, or all that the model can answer.
std::vector<std::unique_ptr<Metric>> chosen_metrics(LoadedRun& loaded) {
  auto chosen = make_metrics(loaded.experiment.eval.metrics, *loaded.model, loaded.data);
  if (chosen.empty())
    throw ConfigError(fmt::format("{}: no registered metric applies to a model of type {} (gen list metric)",
                                  loaded.experiment.name, loaded.experiment.model.type));
  return chosen;
}

// Batch b draws from its own stream, so that a score depends on the seed and the batch size alone.
void score(LoadedRun& loaded, const Dataset& data, int64_t examples,
           std::vector<std::unique_ptr<Metric>>& chosen, bool quiet) {
  const torch::NoGradGuard no_grad;
  const auto& options = loaded.experiment.eval;
  const auto seed = static_cast<uint64_t>(loaded.experiment.seed);
  ProgressLine progress(quiet);
  for (int64_t first = 0; first < examples; first += options.batch_size) {
    progress.update(fmt::format("example {} of {}", first, examples));
    const int64_t count = std::min(options.batch_size, examples - first);
    const Batch batch = read_batch(data, first, count).to(loaded.device);
    for (auto& metric : chosen) {
      Rng rng(derive_seed(seed, Stream::eval, static_cast<uint64_t>(first / options.batch_size)),
              loaded.device);
      metric->update(*loaded.model, batch, rng);
    }
  }
}

std::string words(const Json& protocol) {
  if (!protocol.is_object()) return protocol.is_string() ? protocol.get<std::string>() : protocol.dump();
  std::vector<std::string> parts;
  for (const auto& [key, value] : protocol.items())
    parts.push_back(key + " " + (value.is_string() ? value.get<std::string>() : value.dump()));
  return fmt::format("{}", fmt::join(parts, "; "));
}

void print_text(const Json& document) {
  const auto examples = document["examples"].get<int64_t>(), all = document["split_examples"].get<int64_t>();
  fmt::print("{}: {} split, {} examples, {} weights of step {}, seed {}\n\n",
             document["run"].get<std::string>(), document["split"].get<std::string>(),
             examples < all ? fmt::format("the first {} of {}", examples, all) : fmt::format("{}", all),
             document["weights"].get<std::string>(), document["checkpoint_step"].get<int64_t>(),
             document["seed"].get<int64_t>());
  std::vector<std::vector<std::string>> rows;
  for (const auto& result : document["results"]) {
    const auto number = [&](const char* key) {
      return result[key].is_number() ? fmt::format("{:.5g}", result[key].get<double>())
                                     : result[key].get<std::string>();
    };
    const bool spread = !result["std_error"].is_number() || result["std_error"].get<double>() > 0;
    rows.push_back({result["metric"].get<std::string>(),
                    number("value") + (spread ? " +- " + number("std_error") : ""),
                    result["unit"].get<std::string>(), words(result["protocol"])});
  }
  fmt::print("{}", table({"metric", "value", "unit", "protocol"}, rows, 140));
}

// JSON has no word for what is not finite.
Json finite_or_text(double value) {
  return std::isfinite(value) ? Json(value) : Json(fmt::format("{}", value));
}

// A result of less than the whole has a name of its own, so that it never takes the place of the whole one's:
// test.json, test-first-500.json, test-raw.json, test-first-500-nll.json, ...
std::string file_name(const Json& document, const Flags& flags) {
  std::string name = document["split"].get<std::string>();
  if (document["examples"] < document["split_examples"])
    name += fmt::format("-first-{}", document["examples"].get<int64_t>());
  if (flags.raw) name += "-raw";
  for (const auto& metric : flags.metrics) name += "-" + metric;
  return name + ".json";
}

void write_scores(const std::filesystem::path& file, const Json& document) {
  std::error_code error;
  std::filesystem::create_directories(file.parent_path(), error);
  if (error)
    throw IoError(
        fmt::format("{}: cannot make the folder: {}", file.parent_path().string(), error.message()));
  write_json(file, document);
}

ExitCode run(const Flags& flags) {
  need(flags.run, "eval", "--run", "gen eval --run runs/vae-shapes");
  const RunDir folder = RunDir::open_existing(flags.run);
  LoadedRun loaded = load_run(folder.path(), flags.device.value_or(""), flags.raw, sets_of(flags));
  if (flags.seed) loaded.experiment.seed = *flags.seed;
  auto chosen = chosen_metrics(loaded);
  const auto data = open_split(loaded);
  const int64_t limit = loaded.experiment.eval.limit;
  const int64_t examples = limit > 0 ? std::min(limit, data->size()) : data->size();
  score(loaded, *data, examples, chosen, flags.quiet);

  Json document = {{"run", folder.path().string()},
                   {"split", loaded.experiment.eval.split},
                   {"examples", examples},
                   {"split_examples", data->size()},
                   {"weights", loaded.ema ? "ema" : "raw"},
                   {"checkpoint_step", loaded.step},
                   {"seed", loaded.experiment.seed},
                   {"batch_size", loaded.experiment.eval.batch_size},
                   {"data", dump(loaded.experiment.data)},
                   {"results", Json::array()}};
  for (const auto& metric : chosen)
    for (const auto& result : metric->compute())
      document["results"].push_back({{"metric", result.name},
                                     {"value", finite_or_text(result.value)},
                                     {"std_error", finite_or_text(result.std_error)},
                                     {"unit", result.unit},
                                     {"protocol", result.protocol}});
  // Printed first: a folder that cannot be written must not cost the scores.
  if (flags.json)
    fmt::print("{}\n", document.dump(2));
  else
    print_text(document);
  const auto file = folder.eval() / file_name(document, flags);
  write_scores(file, document);
  if (!flags.json) fmt::print("\nwritten to {}\n", file.string());
  return ExitCode::ok;
}

}  // namespace

void add_eval(CLI::App& app, Action& action) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verb = add_verb(app, "eval", "Score a trained model on held-out data.", kExamples);
  verb->add_option("--run", flags->run, "the run folder")->option_text("FOLDER");
  verb->add_option("--split", flags->split, "train, validation or test; default: eval.split")
      ->option_text("SPLIT")
      ->check(one_of({"train", "validation", "test"}));
  verb->add_option("--metric", flags->metrics, "only this score (gen list metric); repeatable")
      ->option_text("TYPE")
      ->allow_extra_args(false);
  verb->add_option("--limit", flags->limit, "only the first N examples, into a file of their own; 0: all")
      ->option_text("N")
      ->check(whole_number(0));
  verb->add_option("--batch-size", flags->batch_size, "examples at once")
      ->option_text("N")
      ->check(whole_number(1));
  verb->add_flag("--raw", flags->raw, "the trained weights, not their moving average");
  add_run_flags(*verb, *flags);
  verb->callback([&action, flags] { action = [flags] { return run(*flags); }; });
}

}  // namespace gen::cli
