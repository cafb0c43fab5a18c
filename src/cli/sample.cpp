// gen sample: draws from a trained model.
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "cli/progress_line.h"
#include "cli/results.h"
#include "cli/run_argument.h"
#include "cli/sample_data.h"
#include "cli/sample_folder.h"
#include "cli/sample_room.h"
#include "cli/sample_writer.h"
#include "cli/verb.h"
#include "gen/config/json_fields.h"
#include "gen/config/load.h"
#include "gen/core/signals.h"
#include "gen/core/text.h"
#include "gen/core/units.h"
#include "gen/data/class_name.h"
#include "gen/diffusion/sampler.h"
#include "gen/io/json_file.h"
#include "gen/io/run_dir.h"
#include "gen/train/parts.h"
#include "gen/train/trainer.h"

namespace gen::cli {
namespace {

constexpr const char* kSampleExamples =
    R"(  gen sample --run runs/vae-shapes                       a grid and single pictures in runs/vae-shapes/samples/
  gen sample --run runs/vae-shapes --seed 1 --count 16 --out pictures
  gen sample --run runs/diffusion-mnist --sampler ddim --steps 20
  gen sample --run runs/diffusion-shapes --label 2       where the model is conditional on a class
  gen sample --run runs/flow-toy2d --format npy --count 10000
  gen sample --run runs/vae-shapes --mode interpolate    between held-out examples; reconstruct: beside them
sample i depends on the seed and i alone: on a CPU the same bits for every --count and --batch-size
)";

struct SampleFlags : SharedFlags {
  std::string run, out, checkpoint, sampler, format = "png", mode = "prior";
  std::optional<int64_t> count, batch_size, steps;
  std::vector<std::string> labels;
  bool raw = false, overwrite = false;
};

std::vector<Setting> sets_of(const SampleFlags& flags) {
  auto sets = given_sets(flags);
  const auto add = [&](const char* flag, const std::string& set) {
    sets.emplace_back(set, std::string("gen sample: ") + flag);
  };
  if (!flags.sampler.empty()) add("--sampler", "sample.sampler.type=\"" + flags.sampler + "\"");
  if (flags.steps) add("--steps", fmt::format("sample.sampler.steps={}", *flags.steps));
  if (flags.count) add("--count", fmt::format("sample.count={}", *flags.count));
  if (flags.batch_size) add("--batch-size", fmt::format("sample.batch_size={}", *flags.batch_size));
  return sets;
}

// The labels given are repeated over the samples, so that a label too depends on the index alone.
std::optional<std::vector<int64_t>> labels_of(const std::vector<int64_t>& given, int64_t first,
                                              int64_t count) {
  if (given.empty()) return std::nullopt;
  std::vector<int64_t> labels;
  for (int64_t i = first; i < first + count; ++i)
    labels.push_back(given[static_cast<size_t>(i) % given.size()]);
  return labels;
}

// What draws: the sampler asked for, else the model's own; absent where a model or a mode has none.
Component sampler_of(const LoadedRun& loaded, const std::string& mode) {
  if (mode != "prior") return {};
  Component sampler =
      loaded.experiment.sample.sampler ? loaded.experiment.sample.sampler : loaded.model->default_sampler();
  if (sampler) samplers().resolve(sampler);
  return sampler;
}

// What sample.json and every PNG say of where the samples came from.
Json provenance(const LoadedRun& loaded, const RunDir& folder, const std::string& mode, uint64_t seed) {
  const Json record = read_json(folder.run());
  const bool prior = mode == "prior";
  return {{"run", folder.path().string()},
          {"config_hash", JsonFields(record, folder.run().string()).get_or<std::string>("config_hash", "")},
          {"checkpoint_step", loaded.step},
          {"weights", loaded.ema ? "ema" : "raw"},
          {"seed", seed},
          {"sampler", dump(sampler_of(loaded, mode))},
          // Of draws from the prior: what is made of examples is computed in float32, and nothing is drawn.
          {"precision", prior ? dump(loaded.experiment.sample)["precision"] : Json(nullptr)},
          {"temperature", prior ? Json(loaded.experiment.sample.temperature) : Json(nullptr)}};
}

Metadata png_text(const Json& provenance) {
  Metadata text{{"Software", "gen " GEN_VERSION}};
  for (const auto& [key, value] : provenance.items()) {
    if (key == "run" || value.is_null()) continue;
    text[key] = value.is_string() ? value.get<std::string>() : value.dump();
  }
  return text;
}

struct Drawn {
  int64_t evaluations = 1;      // network calls a sample
  std::vector<int64_t> labels;  // of each sample, where the model is conditional
};

// Draws in chunks.
Drawn draw(LoadedRun& loaded, const std::vector<int64_t>& labels, uint64_t seed, SampleWriter& writer,
           bool quiet) {
  const c10::InferenceMode inference;
  const auto& options = loaded.experiment.sample;
  ProgressLine progress(quiet);
  Drawn drawn;
  for (int64_t first = 0; first < options.count; first += options.batch_size) {
    const int64_t count = std::min(options.batch_size, options.count - first);
    SampleRequest request;
    request.count = count;
    request.first_index = first;
    request.seed = seed;
    request.device = loaded.device;
    request.sampler = options.sampler;
    request.labels = labels_of(labels, first, count);
    request.temperature = options.temperature;
    request.progress = [&](int64_t done, int64_t total) {
      progress.update(fmt::format("samples {}-{} of {}: step {}/{}", first + 1, first + count, options.count,
                                  done, total));
    };
    progress.update(fmt::format("samples {}-{} of {}", first + 1, first + count, options.count));
    const Samples samples = draw_batch(*loaded.model, request);
    check_finite(samples, first);
    drawn.evaluations = samples.evaluations;
    if (samples.label.defined()) {
      const at::Tensor label = samples.label.to(at::kCPU, at::kLong).contiguous();
      drawn.labels.insert(drawn.labels.end(), label.data_ptr<int64_t>(),
                          label.data_ptr<int64_t>() + label.numel());
    }
    writer.add(samples, first);
  }
  return drawn;
}

void print_result(const Json& document, const std::vector<std::filesystem::path>& files,
                  const SampleFlags& flags) {
  if (flags.json) {
    results::print_json(document);
    return;
  }
  const auto count = document["count"].get<int64_t>();
  results::print("{} sample{} in {}: {} weights of step {}, seed {}{}\n", count, count == 1 ? "" : "s",
                 human_duration(document["elapsed_s"].get<double>()), document["weights"].get<std::string>(),
                 document["checkpoint_step"].get<int64_t>(), document["seed"].get<uint64_t>(),
                 document["evaluations"].get<int64_t>() > 1
                     ? fmt::format(", {} network calls each", document["evaluations"].get<int64_t>())
                     : "");
  results::print("{}\n", files.front().string());
  if (files.size() > 1)
    results::print("{}{}\n", files[1].string(),
                   files.size() > 2 ? fmt::format(" ... {}", files.back().filename().string()) : "");
}

void check_mode(const SampleFlags& flags) {
  if (flags.mode != "prior" && (!flags.labels.empty() || !flags.sampler.empty() || flags.steps))
    throw ConfigError(fmt::format(
        "gen sample: --label, --sampler and --steps belong to --mode prior, got --mode {}", flags.mode));
}

ExitCode run(const SampleFlags& flags) {
  need(flags.run, "sample", "--run", "gen sample --run runs/vae-shapes");
  check_mode(flags);
  const auto begin = std::chrono::steady_clock::now();
  const RunDir folder = open_run(flags.run, "gen sample --run");
  LoadedRun loaded =
      load_run(folder.path(), flags.device.value_or(""), {flags.raw, flags.checkpoint}, sets_of(flags));
  std::vector<int64_t> labels;
  for (const auto& label : flags.labels)
    labels.push_back(class_named(label, loaded.data, "gen sample: --label"));
  const bool from_prior = flags.mode == "prior";
  if (from_prior) check_sampling(*loaded.model, loaded.experiment);
  loaded.model->prepare_inference(from_prior ? sampling_dtype(loaded.experiment.sample) : at::kFloat);
  const auto seed = static_cast<uint64_t>(flags.seed.value_or(loaded.experiment.seed));
  const std::filesystem::path out = flags.out.empty() ? folder.samples() : std::filesystem::path(flags.out);

  require_room_for_samples(loaded, flags.format, out);

  Json document = provenance(loaded, folder, flags.mode, seed);
  signals::ask_first();
  // Rows of examples may be rounded up to one whole row.
  const int64_t most = std::max(loaded.experiment.sample.count, flags.mode == "prior" ? 1 : kStepsOfARow);
  const auto planned = SampleWriter::planned(flags.format, loaded.data.kind, most);
  SampleFolder target(out, document, planned, flags.overwrite);
  target.note_made(folder);
  SampleWriter writer(target, flags.format, loaded.data.kind, png_text(document));
  const Drawn drawn = from_prior ? draw(loaded, labels, seed, writer, flags.quiet) : Drawn();
  if (!from_prior) loaded.experiment.sample.count = draw_from_data(loaded, flags.mode, writer);
  const auto files = writer.finish();
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;

  document["mode"] = flags.mode;
  document["count"] = loaded.experiment.sample.count;
  document["labels"] = drawn.labels.empty() ? Json(nullptr) : Json(drawn.labels);
  document["evaluations"] = drawn.evaluations;
  document["device"] = loaded.device.str();
  document["elapsed_s"] = elapsed.count();
  document["files"] = Json::array();
  for (const auto& file : files) document["files"].push_back(file.string());
  target.finish(document, files);
  print_result(document, files, flags);
  return ExitCode::ok;
}

}  // namespace

void add_sample(CLI::App& app, Action& action) {
  auto flags = std::make_shared<SampleFlags>();
  CLI::App* verb = add_verb(app, "sample", "Draw samples from a trained model.", kSampleExamples);
  verb->add_option("--run", flags->run, "the run folder")->option_text("FOLDER");
  verb->add_option("--count", flags->count, "samples to draw; default: sample.count")
      ->option_text("N")
      ->check(whole_number(1));
  verb->add_option("--batch-size", flags->batch_size,
                   "samples at once; changes speed, on a CPU not a bit of the samples")
      ->option_text("N")
      ->check(whole_number(1));
  verb->add_option("--out", flags->out, "where to write; default: RUN/samples")->option_text("FOLDER");
  verb->add_option("--format", flags->format, "png (default), npy, safetensors; csv for points")
      ->option_text("FORMAT")
      ->check(one_of({"png", "npy", "safetensors", "csv"}));
  verb->add_option("--sampler", flags->sampler, "of an iterative model (gen list sampler)")
      ->option_text("TYPE");
  verb->add_option("--steps", flags->steps, "of the sampler")->option_text("N")->check(whole_number(1));
  verb->add_option("--label", flags->labels,
                   "class number or name, repeatable, cycled over the samples; default: every class in turn")
      ->option_text("CLASS")
      ->allow_extra_args(false);
  verb->add_option("--mode", flags->mode, "prior (default); reconstruct, interpolate: of held-out examples")
      ->option_text("MODE")
      ->check(one_of({"prior", "reconstruct", "interpolate"}));
  verb->add_flag("--overwrite", flags->overwrite,
                 "replace files that are in the way and were not written by gen sample from this run");
  add_checkpoint_flag(*verb, flags->checkpoint);
  verb->add_flag("--raw", flags->raw, "the trained weights, not their moving average");
  add_run_flags(*verb, *flags);
  verb->callback([&action, flags] { action = [flags] { return run(*flags); }; });
}

}  // namespace gen::cli
