// gen train: a config to a trained model in a run folder.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/results.h"
#include "cli/run_argument.h"
#include "cli/verb.h"
#include "gen/core/log.h"
#include "gen/core/quote.h"
#include "gen/core/signals.h"
#include "gen/io/run_dir.h"
#include "gen/train/experiment.h"
#include "gen/train/trainer.h"

namespace gen::cli {
namespace {

constexpr const char* kTrainExamples =
    R"(  gen train --config configs/vae/shapes.json                      leaves runs/vae-shapes/
  gen train --config configs/vae/mnist.json --set data.path=mnist --set train.steps=2000
  gen train --config configs/vae/shapes.json --resume             go on from the newest checkpoint
  gen train --run-dir runs/vae-shapes --resume                    the same, with the run's own config
  gen train --init-from runs/vae-shapes --run-dir runs/tuned --set train.optimizer.lr=1e-4
                                                                  a new run that begins at the weights of another
  gen train --config configs/vae/shapes.json --dry-run            build everything, one step, no files
)";

struct TrainFlags : SharedFlags {
  std::string config, run_dir, init_from, checkpoint;
  bool resume = false, overwrite = false, dry_run = false;
};

constexpr const char* kResume = "gen train --resume --run-dir";

std::filesystem::path config_of(const TrainFlags& flags) {
  if (flags.resume && !flags.run_dir.empty()) restore_lost_config(flags.run_dir);
  const bool has_own = std::filesystem::exists(std::filesystem::path(flags.init_from) / "run.json");
  if (flags.config.empty() && !flags.init_from.empty() && has_own)
    return RunDir::open_existing(flags.init_from).config();
  if (!flags.config.empty() || !flags.resume || flags.run_dir.empty()) {
    need(flags.config, "train", "--config", "gen train --config configs/vae/shapes.json");
    return flags.config;
  }
  return open_run(flags.run_dir, kResume).config();
}

// The newest picture that training left.
std::filesystem::path newest_picture(const RunDir& run) {
  std::filesystem::path newest;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(run.samples(), error)) {
    const auto name = entry.path().filename().string();
    if (name.starts_with("step_") && name.ends_with(".png") && entry.path() > newest) newest = entry.path();
  }
  return newest;
}

WarmStart warm_start(const TrainFlags& flags) { return {flags.init_from, flags.checkpoint}; }

// The source of a warm start lies in the folder that is emptied first.
void check_source_stays(const TrainFlags& flags, const std::filesystem::path& folder) {
  std::error_code error;
  const auto source = std::filesystem::weakly_canonical(flags.init_from, error);
  const auto emptied = std::filesystem::weakly_canonical(folder, error);
  const auto inside = source.lexically_relative(emptied);
  if (flags.overwrite && !flags.init_from.empty() && !inside.empty() && *inside.begin() != "..")
    throw ConfigError(
        fmt::format("gen train: --overwrite would remove {}, which --init-from reads (choose another "
                    "--run-dir)",
                    flags.init_from));
}

ExitCode try_out(const ExperimentOptions& experiment, const TrainFlags& flags) {
  const double loss = dry_run(experiment, warm_start(flags));
  if (flags.json)
    results::print_json(Json({{"dry_run", true}, {"loss", loss}}));
  else
    results::print("dry run of {}: one step works, loss {:.6g}; nothing was written\n", experiment.name,
                   loss);
  return ExitCode::ok;
}

void print_result(const TrainResult& result, const RunDir& run, const TrainFlags& flags) {
  const auto picture = newest_picture(run);
  const std::string folder = run.path().string();
  if (flags.json) {
    const Json document = {
        {"run", folder},
        {"step", result.step},
        {"stopped", result.stopped},
        {"final_loss", result.final_loss},
        {"best_validation", result.best_validation ? Json(*result.best_validation) : Json(nullptr)},
        {"picture", picture.empty() ? Json(nullptr) : Json(picture.string())}};
    results::print_json(document);
    return;
  }
  results::print("{} at step {}: {}\n", result.stopped ? "stopped" : "done", result.step, folder);
  if (!picture.empty()) results::print("picture: {}\n", picture.string());
  if (result.stopped) {
    results::print("next:\n  gen train --run-dir {} --resume\n", shell_quote_path(run.path()));
    return;
  }
  results::print("next:\n  gen sample --run {0}\n  gen eval --run {0}\n  tensorboard --logdir {0}\n",
                 shell_quote_path(run.path()));
}

ExitCode run(const TrainFlags& flags) {
  if (flags.resume && flags.overwrite)
    throw ConfigError("gen train: --resume and --overwrite exclude each other (go on, or begin anew)");
  if (flags.resume && !flags.init_from.empty())
    throw ConfigError(
        "gen train: --resume and --init-from exclude each other (go on, or begin a new run from old "
        "weights)");
  if (!flags.checkpoint.empty() && flags.init_from.empty())
    throw ConfigError(
        "gen train: --checkpoint chooses what --init-from takes of a run; a resume goes on from the newest");
  const auto experiment = load_experiment(config_of(flags), all_sets(flags));
  if (flags.dry_run) return try_out(experiment, flags);
  const auto folder = flags.run_dir.empty() ? std::filesystem::path("runs") / experiment.name
                                            : std::filesystem::path(flags.run_dir);
  if (flags.resume) open_run(folder, kResume);  // never into a folder of another program
  const auto mode = flags.resume ? RunMode::resume : flags.overwrite ? RunMode::overwrite : RunMode::create;
  // What cannot begin must not cost the run that is there.
  check_source_stays(flags, folder);
  if (flags.overwrite && std::filesystem::exists(folder)) dry_run(experiment, warm_start(flags));
  signals::ask_first();
  const auto opened = RunDir::open_for_training(folder, mode);
  const TrainResult result = train(experiment, opened, warm_start(flags));
  print_result(result, opened, flags);
  if (result.stopped) return ExitCode::stopped;
  if (!result.not_finite.empty())
    throw NumericalError(fmt::format("trained to step {} and saved, with results that are no numbers: {}",
                                     result.step, result.not_finite));
  return ExitCode::ok;
}

}  // namespace

void add_train(CLI::App& app, Action& action) {
  auto flags = std::make_shared<TrainFlags>();
  CLI::App* verb = add_verb(app, "train", "Train a model from a config into a run folder.", kTrainExamples);
  verb->add_option("--config", flags->config, "the config file")->option_text("FILE");
  verb->add_option("--run-dir", flags->run_dir, "the run folder; default: runs/<name>")
      ->option_text("FOLDER");
  verb->add_option(
          "--init-from", flags->init_from,
          "begin a new run at old weights: a run, a checkpoint, a diffusers folder, a safetensors file")
      ->option_text("SOURCE");
  verb->add_option("--checkpoint", flags->checkpoint, "with --init-from RUN: last (default), best, or a step")
      ->option_text("WHICH");
  verb->add_flag("--resume", flags->resume, "go on from the folder's newest checkpoint");
  verb->add_flag("--overwrite", flags->overwrite, "begin anew in a folder that holds a run");
  verb->add_flag("--dry-run", flags->dry_run, "build everything and take one step; write nothing");
  add_run_flags(*verb, *flags);
  verb->callback([&action, flags] { action = [flags] { return run(*flags); }; });
}

}  // namespace gen::cli
