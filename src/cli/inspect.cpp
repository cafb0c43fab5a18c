// gen inspect: what a run, checkpoint, weights file, picture or config holds.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/inspection.h"
#include "cli/results.h"
#include "cli/verb.h"
#include "gen/core/error.h"

namespace gen::cli {
namespace {

constexpr const char* kInspectExamples =
    R"(  gen inspect runs/vae-shapes                                   a run: status, config, checkpoints
  gen inspect runs/vae-shapes/checkpoints/step_00001000         a checkpoint: whole or torn, its tensors
  gen inspect runs/vae-shapes --checkpoint best                 the same of the one with the least validation loss
  gen inspect model.safetensors                                 names, shapes and types; annotations
  gen inspect runs/vae-shapes/samples/grid.png                  size, and the seed and config it came from
  gen inspect configs/vae/mnist.json                            what a config trains
)";

struct InspectFlags : SharedFlags {
  std::string target, checkpoint;
};

ExitCode run(const InspectFlags& flags) {
  need(flags.target, "inspect", "PATH", "gen inspect runs/vae-shapes");
  results::need_stdout("inspect");
  const Json findings = inspect(flags.target, flags.checkpoint);
  if (flags.json)
    results::print_json(findings);
  else
    results::print("{}\n", as_text(findings));
  return ExitCode::ok;
}

}  // namespace

void add_inspect(CLI::App& app, Action& action) {
  auto flags = std::make_shared<InspectFlags>();
  CLI::App* verb =
      add_verb(app, "inspect", "Tell what a run, checkpoint, safetensors file, picture or config holds.",
               kInspectExamples);
  verb->add_option("PATH", flags->target, "a folder or a file, recognised by its content")->option_text(" ");
  add_checkpoint_flag(*verb, flags->checkpoint);
  add_json_flag(*verb, *flags);
  verb->callback([&action, flags] { action = [flags] { return run(*flags); }; });
}

}  // namespace gen::cli
