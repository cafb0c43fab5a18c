// gen eval: scores a trained model on held-out data.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "cli/progress_line.h"
#include "cli/results.h"
#include "cli/run_argument.h"
#include "cli/run_data.h"
#include "cli/score.h"
#include "cli/table.h"
#include "cli/verb.h"
#include "gen/config/load.h"
#include "gen/config/option_error.h"
#include "gen/core/finite.h"
#include "gen/core/log.h"
#include "gen/core/os_error.h"
#include "gen/core/signals.h"
#include "gen/data/loader.h"
#include "gen/io/finite_json.h"
#include "gen/io/json_file.h"
#include "gen/io/run_dir.h"
#include "gen/metrics/metric.h"
#include "gen/train/parts.h"
#include "gen/train/trainer.h"

namespace gen::cli {
namespace {

constexpr const char* kEvalExamples =
    R"(  gen eval --run runs/vae-shapes                            every score the model can give, on the test split
  gen eval --run runs/vae-mnist --split validation --limit 1000
  gen eval --run runs/flow-mnist --metric bits_per_dim --json
  gen eval --run runs/vae-mnist --set data.path=mnist       where the data lie elsewhere now
)";

struct EvalFlags : SharedFlags {
  std::string run, split, checkpoint;
  std::vector<std::string> metrics;
  std::optional<int64_t> limit, batch_size;
  bool raw = false;
};

std::vector<Setting> sets_of(const EvalFlags& flags) {
  auto sets = given_sets(flags);
  const auto add = [&](const char* flag, const std::string& set) {
    sets.emplace_back(set, std::string("gen eval: ") + flag);
  };
  if (!flags.split.empty()) add("--split", "eval.split=" + flags.split);
  if (flags.limit) add("--limit", fmt::format("eval.limit={}", *flags.limit));
  if (flags.batch_size) add("--batch-size", fmt::format("eval.batch_size={}", *flags.batch_size));
  if (!flags.metrics.empty()) {
    Json chosen = Json::array();
    for (const auto& type : flags.metrics) chosen.push_back({{"type", type}});
    add("--metric", "eval.metrics=" + chosen.dump());
  }
  return sets;
}

// The metrics the config names, or all that the model can answer.
std::vector<std::unique_ptr<Metric>> chosen_metrics(LoadedRun& loaded) {
  std::vector<std::unique_ptr<Metric>> chosen;
  name_mistakes(loaded.experiment, [&] {
    chosen = made_within(
        "/eval", [&] { return make_metrics(loaded.experiment.eval.metrics, *loaded.model, loaded.data); });
  });
  if (chosen.empty())
    throw ConfigError(fmt::format("{}: no registered metric applies to a model of type {} (gen list metric)",
                                  loaded.experiment.name, loaded.experiment.model.type));
  return chosen;
}

std::string words(const Json& protocol) {
  if (!protocol.is_object()) return protocol.is_string() ? protocol.get<std::string>() : protocol.dump();
  std::vector<std::string> parts;
  for (const auto& [key, value] : protocol.items())
    if (key != "std_error")  // said once, below the table
      parts.push_back(key + " " + (value.is_string() ? value.get<std::string>() : value.dump()));
  return fmt::format("{}", fmt::join(parts, "; "));
}

// "10000", "a fixed random 500 of 10000", and "499 of ..." where not all could be read.
std::string number_of_examples(const Json& document) {
  const auto examples = document["examples"].get<int64_t>();
  const auto subset = document["subset"].get<std::string>();
  const bool whole = subset == "all";
  if (document["skipped"].empty() && !document.contains("partial"))
    return whole ? fmt::format("{}", examples) : subset;
  return fmt::format("{} of {}", examples,
                     whole ? fmt::format("{}", document["split_examples"].get<int64_t>()) : subset);
}

void print_text(const Json& document) {
  results::print("{}: {} split, {} examples, {} weights of step {}, seed {}, batches of {}\n\n",
                 document["run"].get<std::string>(), document["split"].get<std::string>(),
                 number_of_examples(document), document["weights"].get<std::string>(),
                 document["checkpoint_step"].get<int64_t>(), document["seed"].get<int64_t>(),
                 document["batch_size"].get<int64_t>());
  if (document.contains("partial"))
    results::print("PARTIAL, {} examples were asked for: {}\n\n", document["partial"]["asked"].get<int64_t>(),
                   document["partial"]["because"].get<std::string>());
  if (const size_t skipped = document["skipped"].size(); skipped > 0)
    results::print("{} more could not be read and {} left out\n\n", skipped, skipped == 1 ? "was" : "were");
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
  results::print("{}+- is the standard error of the mean over the examples\n",
                 table({"metric", "value", "unit", "protocol"}, rows, 140));
  if (document.contains("data_entropy"))
    results::print("the data's own entropy is {:.5g} nats: on average no model's nll is smaller\n",
                   document["data_entropy"].get<double>());
}

// Of every score that is no number: the examples to blame.
void require_finite(const std::vector<MetricResult>& results, int64_t examples) {
  std::string text;
  for (const auto& result : results)
    if (!std::isfinite(result.value) || !std::isfinite(result.std_error) || !result.non_finite.empty())
      text += fmt::format("{}{} is not finite for {} of {} examples: {}", text.empty() ? "" : "\n",
                          result.name, result.non_finite.size(), examples, first_few(result.non_finite));
  if (!text.empty())
    throw NumericalError(text +
                         "\n  the weights may have diverged (try an earlier checkpoint or --raw), or the "
                         "model gives such data no "
                         "probability at all (a noise schedule that ends in too much noise or begins with "
                         "none, a scale that went to 0)");
}

// A result of less than the whole has a name of its own, so that it never takes the place of the whole one's:
// test.json, test-500.json, test-raw.json, test-500-nll.json, test-partial.json, ...
std::string file_name(const LoadedRun& loaded, int64_t asked, int64_t all, const EvalFlags& flags,
                      bool partial) {
  std::string name = loaded.experiment.eval.split;
  if (asked < all) name += fmt::format("-{}", asked);
  if (!flags.checkpoint.empty() && flags.checkpoint != "last")
    name += flags.checkpoint == "best" ? "-best" : fmt::format("-step-{}", loaded.step);
  if (flags.raw) name += "-raw";
  for (const auto& metric : flags.metrics) name += "-" + metric;
  return name + (partial ? "-partial.json" : ".json");
}

// Scores replace scores, and nothing else.
void check_replaceable(const std::filesystem::path& file) {
  std::error_code error;
  if (!std::filesystem::exists(std::filesystem::symlink_status(file, error))) return;
  try {
    const Json there = read_json(file);
    if (there.is_object() && there.contains("results") && there.contains("split")) return;
  } catch (const Error&) {
    // Not scores.
  }
  throw ConfigError(
      fmt::format("{}: is there and holds no scores of gen eval (move it away)", file.string()));
}

void write_scores(const std::filesystem::path& file, const Json& document) {
  check_replaceable(file);
  std::error_code error;
  std::filesystem::create_directories(file.parent_path(), error);
  if (error)
    throw IoError(fmt::format("{}: cannot make the folder: {}", file.parent_path().string(),
                              os_error_text(error.value())));
  write_json(file, document);
}

Json document_of(const LoadedRun& loaded, const RunDir& folder, const Scored& scored,
                 const std::vector<MetricResult>& results, int64_t asked, int64_t all) {
  Json document = {{"run", folder.path().string()},
                   {"split", loaded.experiment.eval.split},
                   {"examples", scored.examples},
                   {"split_examples", all},
                   {"subset", asked < all ? fmt::format("a fixed random {} of {}", asked, all) : "all"},
                   {"weights", loaded.ema ? "ema" : "raw"},
                   {"checkpoint_step", loaded.step},
                   {"seed", loaded.experiment.seed},
                   {"batch_size", loaded.experiment.eval.batch_size},
                   {"precision", "fp32"},
                   {"data", dump(loaded.experiment.data)},
                   {"skipped", Json::array()},
                   {"results", Json::array()}};
  for (const auto& [index, what] : scored.skipped.by_index())
    document["skipped"].push_back({{"index", index}, {"what", what}});
  if (scored.ended) document["partial"] = {{"asked", asked}, {"because", scored.ended->what()}};
  for (const auto& result : results)
    document["results"].push_back({{"metric", result.name},
                                   {"value", result.value},
                                   {"std_error", result.std_error},
                                   {"unit", result.unit},
                                   {"protocol", result.protocol}});
  return finite_json(std::move(document));
}

ExitCode run(const EvalFlags& flags) {
  need(flags.run, "eval", "--run", "gen eval --run runs/vae-shapes");
  const RunDir folder = open_run(flags.run, "gen eval --run");
  LoadedRun loaded =
      load_run(folder.path(), flags.device.value_or(""), {flags.raw, flags.checkpoint}, sets_of(flags));
  loaded.model->prepare_inference(at::kFloat);
  if (flags.seed) loaded.experiment.seed = *flags.seed;
  auto chosen = chosen_metrics(loaded);
  const auto data = open_split(loaded);
  const auto indices = evaluation_indices(*data, loaded.experiment.eval.limit);
  const int64_t all = data->size(), asked = std::ssize(indices);
  check_replaceable(folder.eval() / file_name(loaded, asked, all, flags, /*partial=*/false));
  signals::ask_first();
  const Scored scored = score(loaded, *data, indices, chosen, flags.quiet);

  std::vector<MetricResult> computed;
  for (const auto& metric : chosen)
    for (auto& result : metric->compute()) computed.push_back(std::move(result));
  Json document = document_of(loaded, folder, scored, computed, asked, all);
  if (const auto entropy = data->entropy()) document["data_entropy"] = *entropy;
  // Printed first: a folder that cannot be written must not cost the scores.
  if (flags.json)
    results::print_json(document);
  else
    print_text(document);
  const auto file = folder.eval() / file_name(loaded, asked, all, flags, scored.ended.has_value());
  folder.claim(file);
  write_scores(file, document);
  if (!flags.json) results::print("\nwritten to {}\n", file.string());
  require_finite(computed, scored.examples);
  if (scored.ended) throw Error(*scored.ended);
  return ExitCode::ok;
}

}  // namespace

void add_eval(CLI::App& app, Action& action) {
  auto flags = std::make_shared<EvalFlags>();
  CLI::App* verb = add_verb(app, "eval", "Score a trained model on held-out data.", kEvalExamples);
  verb->add_option("--run", flags->run, "the run folder")->option_text("FOLDER");
  verb->add_option("--split", flags->split, "train, validation or test; default: eval.split")
      ->option_text("SPLIT")
      ->check(one_of({"train", "validation", "test"}));
  verb->add_option("--metric", flags->metrics, "only this score (gen list metric); repeatable")
      ->option_text("TYPE")
      ->allow_extra_args(false);
  verb->add_option("--limit", flags->limit,
                   "only a fixed random N of the examples, into a file of their own; 0: all")
      ->option_text("N")
      ->check(whole_number(0));
  verb->add_option("--batch-size", flags->batch_size, "examples at once")
      ->option_text("N")
      ->check(whole_number(1));
  add_checkpoint_flag(*verb, flags->checkpoint);
  verb->add_flag("--raw", flags->raw, "the trained weights, not their moving average");
  add_run_flags(*verb, *flags);
  verb->callback([&action, flags] { action = [flags] { return run(*flags); }; });
}

}  // namespace gen::cli
