#include "cli/habits.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <map>
#include <optional>

#include "cli/kinds.h"
#include "gen/config/load.h"
#include "gen/core/error.h"
#include "gen/core/quote.h"
#include "gen/data/dataset.h"
#include "gen/train/experiment.h"

namespace gen::cli {
namespace {

namespace fs = std::filesystem;
using Words = std::map<std::string, std::string>;

// "--Batch-Size" and "--batch_size" are the same word.
std::string bare_word(const std::string& flag) {
  std::string word = flag.substr(std::min(flag.find_first_not_of('-'), flag.size()));
  for (char& c : word) c = c == '-' ? '_' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return word;
}

// Other programs' words for flags of gen.
const Words& flags_for(const std::string& verb) {
  static const std::map<std::string, Words> all = {
      {"train", {{"c", "--config"},           {"cfg", "--config"},         {"conf", "--config"},
                 {"config_file", "--config"}, {"output", "--run-dir"},     {"out", "--run-dir"},
                 {"o", "--run-dir"},          {"output_dir", "--run-dir"}, {"outdir", "--run-dir"},
                 {"out_dir", "--run-dir"},    {"logdir", "--run-dir"},     {"log_dir", "--run-dir"},
                 {"save_dir", "--run-dir"},   {"run", "--run-dir"},        {"workdir", "--run-dir"},
                 {"work_dir", "--run-dir"},   {"force", "--overwrite"},    {"f", "--overwrite"},
                 {"y", "--overwrite"},        {"yes", "--overwrite"},      {"q", "--quiet"},
                 {"silent", "--quiet"},       {"continue", "--resume"},    {"restart", "--overwrite"},
                 {"gpu", "--device cuda"},    {"gpus", "--device cuda"},   {"cuda", "--device cuda"},
                 {"cpu", "--device cpu"}}},
      {"sample",
       {{"n", "--count"},
        {"num_samples", "--count"},
        {"samples", "--count"},
        {"n_samples", "--count"},
        {"num", "--count"},
        {"bs", "--batch-size"},
        {"batchsize", "--batch-size"},
        {"output", "--out"},
        {"o", "--out"},
        {"output_dir", "--out"},
        {"outdir", "--out"},
        {"out_dir", "--out"},
        {"r", "--run"},
        {"run_dir", "--run"},
        {"model", "--run"},
        {"model_path", "--run"},
        {"ckpt", "--run"},
        {"class", "--label"},
        {"class_label", "--label"},
        {"class_labels", "--label"},
        {"labels", "--label"},
        {"y", "--label"},
        {"num_steps", "--steps"},
        {"num_inference_steps", "--steps"},
        {"nfe", "--steps"},
        {"timesteps", "--steps"},
        {"solver", "--sampler"},
        {"scheduler", "--sampler"},
        {"q", "--quiet"},
        {"silent", "--quiet"},
        {"s", "--seed"},
        {"gpu", "--device cuda"},
        {"cuda", "--device cuda"},
        {"cpu", "--device cpu"}}},
      {"eval",
       {{"r", "--run"},
        {"run_dir", "--run"},
        {"model", "--run"},
        {"model_path", "--run"},
        {"ckpt", "--run"},
        {"metrics", "--metric"},
        {"m", "--metric"},
        {"bs", "--batch-size"},
        {"batchsize", "--batch-size"},
        {"n", "--limit"},
        {"num_samples", "--limit"},
        {"max_examples", "--limit"},
        {"dataset_split", "--split"},
        {"q", "--quiet"},
        {"silent", "--quiet"},
        {"gpu", "--device cuda"},
        {"cuda", "--device cuda"},
        {"cpu", "--device cpu"}}},
      {"check", {{"c", "--config"}, {"cfg", "--config"}, {"conf", "--config"}, {"config_file", "--config"}}},
      {"forward", {{"i", "--in"}, {"input", "--in"}, {"o", "--out"}, {"output", "--out"}}},
  };
  static const Words none;
  const auto found = all.find(verb);
  return found == all.end() ? none : found->second;
}

// Other programs' words for keys of a config.
const Words& keys_for_words() {
  static const Words all = {
      {"learning_rate", "train.optimizer.lr"},
      {"wd", "train.optimizer.weight_decay"},
      {"bs", "train.batch_size"},
      {"batchsize", "train.batch_size"},
      {"iterations", "train.steps"},
      {"iters", "train.steps"},
      {"max_iters", "train.steps"},
      {"max_steps", "train.steps"},
      {"num_steps", "train.steps"},
      {"total_steps", "train.steps"},
      {"num_iterations", "train.steps"},
      {"max_train_steps", "train.steps"},
      {"workers", "train.data_workers"},
      {"num_workers", "train.data_workers"},
      {"j", "train.data_workers"},
      {"grad_clip", "train.clip_grad_norm"},
      {"max_grad_norm", "train.clip_grad_norm"},
      {"gradient_accumulation_steps", "train.gradient_accumulation"},
      {"ema_decay", "train.ema.decay"},
      {"save_every", "train.checkpoint_every"},
      {"data", "data.path"},
      {"data_path", "data.path"},
      {"data_dir", "data.path"},
      {"dataset_path", "data.path"},
      {"data_root", "data.path"},
      {"root", "data.path"},
      {"dataset", "data.type"},
      {"model", "model.type"},
      {"optimizer", "train.optimizer.type"},
      {"optim", "train.optimizer.type"},
      {"scheduler", "train.lr_schedule.type"},
      {"lr_scheduler", "train.lr_schedule.type"},
      {"image_size", "data.size"},
      {"img_size", "data.size"},
      {"resolution", "data.size"},
      {"exp_name", "name"},
      {"run_name", "name"},
      {"experiment_name", "name"},
      {"random_seed", "seed"},
      {"mixed_precision", "train.precision"},
      {"split", "eval.split"},
      {"z_dim", "model.latent_dim"},
  };
  return all;
}

bool takes(const CLI::App& verb, const char* flag) { return verb.get_option_no_throw(flag) != nullptr; }

// The dotted key of the config whose last part is `word`: of a section, or of a type that a section may name.
std::string key_named(const std::string& verb, const std::string& word) {
  const auto last = [](const std::string& key) { return key.substr(key.rfind('.') + 1); };
  const auto fields = describe<ExperimentOptions>();
  for (const auto& field : fields)
    if (field.key == verb + "." + word) return field.key;
  for (const auto& field : fields)
    if (last(field.key) == word) return field.key;
  for (const auto& listed : all_kinds()) {
    if (listed.place.find(' ') != std::string::npos) continue;  // where it lies depends on another type
    for (const auto& entry : listed.kind->entries())
      for (const auto& field : describe_options([&](OptionVisitor& v) { entry.make_options()->visit(v); }))
        if (field.key == word) return listed.place + "." + field.key;
  }
  return {};
}

// Epochs as steps, by the config that was given beside them.
std::optional<int64_t> steps_of_epochs(const CLI::App& verb, const std::string& epochs) {
  try {
    std::vector<Setting> sets;
    if (const auto* set = verb.get_option_no_throw("--set"))
      for (const auto& each : set->results()) sets.emplace_back(each);
    const auto* config = verb.get_option_no_throw("--config");
    if (config == nullptr || config->count() != 1) return std::nullopt;
    const auto experiment = load_experiment(config->results().front(), sets);
    const int64_t examples = datasets().make(experiment.data, Split::train)->size();
    const int64_t batch = experiment.train.batch_size * experiment.train.gradient_accumulation;
    return static_cast<int64_t>(std::stod(epochs) *
                                static_cast<double>(std::max<int64_t>(1, examples / batch)));
  } catch (const std::exception&) {
    return std::nullopt;  // the config has mistakes of its own, or N was no number
  }
}

std::string epochs_instead(const CLI::App& verb, const std::string& value) {
  if (!takes(verb, "--config")) return {};
  const auto steps = steps_of_epochs(verb, value);
  if (steps && *steps > 0)
    return fmt::format("--set train.steps={}, which is {} epoch{} of these data", *steps, value,
                       value == "1" ? "" : "s");
  return "--set train.steps=N: training is counted in steps, and an epoch is examples / train.batch_size of "
         "them";
}

// Whether a flag of gen takes a value.
bool takes_value(const CLI::App& verb, const std::string& flag) {
  const auto* option = verb.get_option_no_throw(flag);
  return option != nullptr && option->get_items_expected_max() > 0;
}

std::string flag_instead(const CLI::App& verb, const std::string& word, const std::string& value) {
  const auto& flags = flags_for(verb.get_name());
  const auto found = flags.find(word);
  std::string flag = found == flags.end() ? "" : found->second;
  if (flag.empty())  // another spelling of a flag
    for (const auto* option : verb.get_options())
      for (const auto& name : option->get_lnames())
        if (bare_word(name) == word) flag = "--" + name;
  if (flag.empty()) return {};
  if (flag == "--device cuda" && !value.empty() && std::all_of(value.begin(), value.end(), ::isdigit))
    return flag + ":" + value;
  if (!takes_value(verb, flag)) return flag;
  return fmt::format("{} {}", flag, value.empty() ? "VALUE" : shell_quote(value));
}

std::string set_instead(const CLI::App& verb, const std::string& flag, const std::string& word,
                        const std::string& value) {
  if (!takes(verb, "--set")) return {};
  std::string key;
  if (flag.find('.') != std::string::npos) {  // --train.steps 5
    key = flag.substr(std::min(flag.find_first_not_of('-'), flag.size()));
  } else {
    const auto known = keys_for_words().find(word);
    key = known != keys_for_words().end() ? known->second : key_named(verb.get_name(), word);
  }
  return key.empty() ? "" : fmt::format("--set {}={}", key, value.empty() ? "VALUE" : shell_quote(value));
}

// gen inspect --run runs/a: what other verbs take behind a flag, and this one as it is. Its parser has taken the value so.
std::string argument_instead(const CLI::App& verb, const std::string& word) {
  constexpr std::array kWords = {"run", "run_dir", "path", "file", "folder", "model", "kind", "type", "ckpt"};
  if (std::find(kWords.begin(), kWords.end(), word) == kWords.end()) return {};
  for (const auto* option : verb.get_options())
    if (option->get_positional() && option->count() > 0)
      return fmt::format("gen {} {}", verb.get_name(), shell_quote_path(option->results().front()));
  return {};
}

std::string word_instead(const CLI::App& verb, const std::string& word) {
  std::error_code error;
  const bool is_set = word.find('=') != std::string::npos && word.find('=') > 0;
  if (is_set && takes(verb, "--set")) return "--set " + shell_quote(word);
  if (takes(verb, "--run") && verb.get_option("--run")->count() == 0) return "--run " + shell_quote(word);
  if (!takes(verb, "--config")) return {};
  if (fs::is_directory(word, error))
    return takes(verb, "--run-dir") ? fmt::format("--run-dir {} --resume", shell_quote(word)) : "";
  return verb.get_option("--config")->count() == 0 ? "--config " + shell_quote(word) : "";
}

}  // namespace

std::string meant_instead(const CLI::App& verb, const std::vector<std::string>& words, size_t i) {
  if (!words[i].starts_with("-")) return word_instead(verb, words[i]);
  const size_t equals = words[i].find('=');
  const std::string flag = words[i].substr(0, equals), word = bare_word(flag);
  std::string value = equals == std::string::npos ? "" : words[i].substr(equals + 1);
  if (equals == std::string::npos && i + 1 < words.size() && !words[i + 1].starts_with("--"))
    value = words[i + 1];
  if (word == "epoch" || word == "epochs" || word == "num_epochs" || word == "max_epochs" ||
      word == "num_train_epochs")
    return epochs_instead(verb, value);
  std::string meant = flag_instead(verb, word, value);
  if (meant.empty()) meant = argument_instead(verb, word);
  return meant.empty() ? set_instead(verb, flag, word, value) : meant;
}

}  // namespace gen::cli
