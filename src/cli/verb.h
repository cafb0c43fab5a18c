// What a verb is to main(): flags declared on a CLI11 subcommand, and an action that runs once they are
// parsed.
#pragma once

#include <CLI/CLI.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "gen/core/error.h"
#include "gen/train/experiment.h"

namespace gen::cli {

/// Does the verb's work and returns the exit code of a run without an error; errors are thrown.
using Action = std::function<ExitCode()>;

void add_train(CLI::App& app, Action& action);
void add_sample(CLI::App& app, Action& action);
void add_eval(CLI::App& app, Action& action);
void add_list(CLI::App& app, Action& action);
void add_describe(CLI::App& app, Action& action);
void add_check(CLI::App& app, Action& action);
void add_inspect(CLI::App& app, Action& action);
void add_forward(CLI::App& app, Action& action);

/// A subcommand with its sentence and, after the flags, its examples.
CLI::App* add_verb(CLI::App& app, const char* name, const char* sentence, const char* examples);

/// The option_text of an argument that may be left out.
constexpr const char* kOptional = "(optional)";

/// Gives an App the help style that all verbs have, and the text after its flags.
void style_help(CLI::App& app, const char* footer);

/// Flags that several verbs share, each under one name and one sentence.
struct SharedFlags {
  bool json = false, quiet = false;
  std::optional<std::string> device;
  std::optional<int64_t> seed;
  std::vector<std::string> sets;
};
void add_json_flag(CLI::App& verb, SharedFlags& flags);
void add_quiet_flag(CLI::App& verb, SharedFlags& flags);
void add_device_flag(CLI::App& verb, SharedFlags& flags);
void add_seed_flag(CLI::App& verb, SharedFlags& flags);
void add_set_flag(CLI::App& verb, SharedFlags& flags);
void add_checkpoint_flag(CLI::App& verb, std::string& checkpoint);
/// All of them: for the verbs that work on a run.
void add_run_flags(CLI::App& verb, SharedFlags& flags);

/// What a flag's value must be, in the words of a config's errors.
CLI::Validator whole_number(int64_t at_least);
CLI::Validator one_of(std::vector<std::string> choices);

/// --set, and then --seed and --device as the config's keys of the same name.
std::vector<Setting> all_sets(const SharedFlags& flags);
/// --set alone: for verbs to which a seed and a device are no part of the config.
std::vector<Setting> given_sets(const SharedFlags& flags);
/// Throws ConfigError "gen VERB: FLAG is missing, e.g. EXAMPLE" where `value` is empty.
void need(const std::string& value, const char* verb, const char* flag, const char* example);

/// Parses the command line. Throws ConfigError for a mistake in it, with the nearest verb or flag. Returns
/// false where the answer (help, version) is already printed.
bool parse_command_line(CLI::App& app, int argc, char** argv);

}  // namespace gen::cli
