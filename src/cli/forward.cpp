// gen forward: runs a network on named tensors, so that anyone can check parity with another library.
#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/results.h"
#include "cli/run_argument.h"
#include "cli/verb.h"
#include "gen/core/device.h"
#include "gen/core/error.h"
#include "gen/core/finite.h"
#include "gen/core/log.h"
#include "gen/io/finite_json.h"
#include "gen/io/run_dir.h"
#include "gen/io/safetensors.h"
#include "gen/nn/network.h"
#include "gen/train/trainer.h"

namespace gen::cli {
namespace {

constexpr const char* kForwardExamples =
    R"(  gen forward runs/diffusion-mnist --in io.safetensors --out out.safetensors
  gen forward unet2d/ --in io.safetensors --out out.safetensors     a folder as diffusers saves it
  gen forward unet2d/ --in io.safetensors --out out.safetensors --json
inputs of a denoising network: sample [B, C, H, W], timestep [B], class_labels [B] where it has classes; output: out.
Where the input file holds a tensor of an output's name, the largest difference to it is told.
)";

struct ForwardFlags : SharedFlags {
  std::string model, in, out;
  std::string checkpoint;
  bool raw = false, overwrite = false;
};

TensorMap to_device(TensorMap tensors, at::Device device) {
  for (auto& [name, tensor] : tensors) tensor = tensor.to(device);
  return tensors;
}

// What `compute` makes of the inputs. Tensors that do not fit the network are a mistake of the file that holds them.
template <class Compute>
TensorMap answer(const ForwardFlags& flags, Compute compute) {
  try {
    return compute();
  } catch (const ShapeError& error) {
    throw DataError(fmt::format("{}: {}", flags.in, error.what()));
  } catch (const DataError& error) {
    throw DataError(fmt::format("{}: {}", flags.in, error.what()));
  }
}

TensorMap run_network(const ForwardFlags& flags, const TensorMap& inputs) {
  if (!flags.checkpoint.empty() || flags.raw)
    throw ConfigError(fmt::format("gen forward: {} among what a run keeps, and {} is no run",
                                  flags.raw ? "--raw chooses weights" : "--checkpoint chooses a checkpoint",
                                  flags.model));
  const auto device = resolve_device(flags.device.value_or("cpu"));
  const auto network = load_network_folder(flags.model);
  network->to(device);
  network->eval();
  return answer(flags, [&] { return forward_by_name(*network, to_device(inputs, device)); });
}

TensorMap run_run(const ForwardFlags& flags, const TensorMap& inputs) {
  const LoadedRun loaded = load_run(open_run(flags.model, "gen forward").path(), flags.device.value_or(""),
                                    {flags.raw, flags.checkpoint});
  loaded.model->prepare_inference(at::kFloat);
  return answer(flags, [&] { return loaded.model->forward_named(to_device(inputs, loaded.device)); });
}

// A run has run.json beside its config.json; a folder of another library has weights there.
bool is_network(const std::filesystem::path& folder) {
  return std::filesystem::exists(folder / "config.json") && !std::filesystem::exists(folder / "run.json");
}

// What tells an output of this verb from any other file.
const Metadata kMade{{"written_by", "gen forward"}};

bool is_output(const std::filesystem::path& path) {
  try {
    const auto metadata = read_safetensors_header(path).metadata;
    const auto by = metadata.find("written_by");
    return by != metadata.end() && by->second == kMade.at("written_by");
  } catch (const Error&) {
    return false;
  }
}

// Before anything is computed.
void check_out(const ForwardFlags& flags) {
  std::error_code error;
  if (std::filesystem::equivalent(flags.in, flags.out, error))
    throw ConfigError(fmt::format("gen forward: --out {} is the file of --in (choose another)", flags.out));
  if (!std::filesystem::exists(std::filesystem::symlink_status(flags.out, error)) || flags.overwrite) return;
  if (!is_output(flags.out))
    throw ConfigError(
        fmt::format("gen forward: --out {} is there and was not written by gen forward (choose another, or "
                    "replace it with --overwrite)",
                    flags.out));
}

Json compare(const TensorMap& outputs, const TensorMap& inputs) {
  Json rows = Json::object();
  for (const auto& [name, tensor] : outputs) {
    Json row = {{"shape", tensor.sizes().vec()}};
    if (const auto expected = inputs.find(name); expected != inputs.end()) {
      const bool alike = expected->second.sizes().equals(tensor.sizes());
      row["max_abs_diff"] =
          alike && tensor.numel() > 0
              ? Json((tensor.to(at::kDouble) - expected->second.to(at::kDouble)).abs().max().item<double>())
              : Json(fmt::format("shape {} in {}", expected->second.sizes(), "the input file"));
    }
    rows[name] = row;
  }
  return rows;
}

// The tensors of a map that hold what is no number, with the rows: "sample (rows 0, 3)".
std::string non_finite(const TensorMap& tensors) {
  std::string text;
  for (const auto& [name, tensor] : tensors)
    if (const auto rows = rows_of(non_finite_rows(tensor)); !rows.empty())
      text += fmt::format("{}{} (rows {})", text.empty() ? "" : ", ", name, first_few(rows));
  return text;
}

void require_finite(const TensorMap& outputs, const TensorMap& inputs, const ForwardFlags& flags) {
  const std::string bad = non_finite(outputs), bad_inputs = non_finite(inputs);
  if (bad.empty()) return;
  throw NumericalError(fmt::format(
      "outputs are not finite: {}; {} (written to {} all the same)", bad,
      bad_inputs.empty()
          ? "the inputs of " + flags.in + " are, so look at the weights: gen inspect tells their files"
          : "nor are the inputs: " + bad_inputs,
      flags.out));
}

ExitCode run(const ForwardFlags& flags) {
  need(flags.model, "forward", "MODEL",
       "gen forward runs/diffusion-mnist --in io.safetensors --out out.safetensors");
  need(flags.in, "forward", "--in", "--in io.safetensors");
  need(flags.out, "forward", "--out", "--out out.safetensors");
  check_out(flags);
  const c10::InferenceMode inference;
  const TensorMap inputs = read_safetensors(flags.in);
  TensorMap outputs = is_network(flags.model) ? run_network(flags, inputs) : run_run(flags, inputs);
  outputs = to_device(std::move(outputs), at::kCPU);
  write_safetensors(flags.out, outputs, kMade);
  const Json rows = finite_json(compare(outputs, inputs));
  if (flags.json) {
    results::print_json(Json({{"out", flags.out}, {"outputs", rows}}));
    require_finite(outputs, inputs, flags);
    return ExitCode::ok;
  }
  for (const auto& [name, row] : rows.items()) {
    results::print("{} {}", name, row["shape"].dump());
    if (row.contains("max_abs_diff"))
      results::print(": largest difference to \"{}\" of {} (not an input): {}", name, flags.in,
                     row["max_abs_diff"].is_string() ? row["max_abs_diff"].get<std::string>()
                                                     : row["max_abs_diff"].dump());
    results::print("\n");
  }
  results::print("written to {}\n", flags.out);
  require_finite(outputs, inputs, flags);
  return ExitCode::ok;
}

}  // namespace

void add_forward(CLI::App& app, Action& action) {
  auto flags = std::make_shared<ForwardFlags>();
  CLI::App* verb =
      add_verb(app, "forward", "Run a network on named tensors (parity checks).", kForwardExamples);
  verb->add_option("MODEL", flags->model, "a run folder, or one with config.json and safetensors")
      ->option_text(" ");
  verb->add_option("--in", flags->in, "safetensors file with the inputs")->option_text("FILE");
  verb->add_option("--out", flags->out, "safetensors file to write")->option_text("FILE");
  verb->add_flag("--overwrite", flags->overwrite, "replace a file that gen forward did not write");
  verb->add_flag("--raw", flags->raw, "of a run: the trained weights, not their moving average");
  add_checkpoint_flag(*verb, flags->checkpoint);
  add_device_flag(*verb, *flags);
  add_quiet_flag(*verb, *flags);
  add_json_flag(*verb, *flags);
  verb->callback([&action, flags] { action = [flags] { return run(*flags); }; });
}

}  // namespace gen::cli
