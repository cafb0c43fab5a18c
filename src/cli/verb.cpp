#include "cli/verb.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

#include "cli/results.h"
#include "gen/core/log.h"
#include "gen/core/nearest.h"
#include "gen/core/text.h"

namespace gen::cli {
namespace {

constexpr size_t kFlagColumn = 30;  // width of the flags in help texts

// One style for the help of gen and of each verb: usage, flags, examples.
class HelpText final : public CLI::Formatter {
 public:
  std::string make_usage(const CLI::App* app, std::string) const override {
    std::string line = "usage: gen";
    if (app->get_parent() != nullptr)
      line += " " + app->get_name();
    else
      line += " VERB";
    for (const auto* option :
         app->get_options([](const CLI::Option* each) { return each->get_positional(); }))
      line += option->get_option_text() == kOptional ? fmt::format(" [{}]", option->get_name(true))
                                                     : " " + option->get_name(true);
    return line + " [FLAGS]\n";
  }
  std::string make_group(std::string, bool positional,
                         std::vector<const CLI::Option*> options) const override {
    return Formatter::make_group(positional ? "arguments" : "flags", positional, std::move(options));
  }
  std::string make_option_opts(const CLI::Option* option) const override {
    return option->get_option_text().empty() ? "" : " " + option->get_option_text();
  }
};

std::vector<std::string> flag_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const auto* option : app.get_options())
    for (const auto& name : option->get_lnames()) names.push_back("--" + name);
  return names;
}

std::vector<std::string> verb_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const auto* verb : app.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(verb->get_name());
  return names;
}

std::string unknown_argument(const CLI::App& app, const std::string& argument) {
  const std::string name = app.get_parent() == nullptr ? "gen" : "gen " + app.get_name();
  if (argument.starts_with("-")) {
    const std::string flag = printable_line(argument.substr(0, argument.find('=')));
    return fmt::format("{}: unknown flag {}{}; see {} --help", name, flag,
                       did_you_mean(flag, flag_names(app)), name);
  }
  if (app.get_parent() == nullptr) {
    const auto verbs = verb_names(app);
    return fmt::format("gen: unknown verb \"{}\"{}; there are: {}", printable_line(argument),
                       did_you_mean(argument, verbs), fmt::join(verbs, ", "));
  }
  return fmt::format("{}: did not expect \"{}\"; see {} --help", name, printable_line(argument), name);
}

// CLI11's own texts name neither the verb nor the nearest flag.
std::string explain(const CLI::App& app, const CLI::ParseError& error) {
  const auto chosen = app.get_subcommands();
  const CLI::App& at = chosen.empty() ? app : *chosen.front();
  const auto unknown = at.remaining();
  if (!unknown.empty()) {
    std::string lines;
    for (const auto& argument : unknown)
      if (argument.starts_with("-") || &argument == &unknown.front())
        lines += (lines.empty() ? "" : "\n") + unknown_argument(at, argument);
    return lines;
  }
  if (chosen.empty()) return fmt::format("gen: expected a verb: {}", fmt::join(verb_names(app), ", "));
  std::string text = printable_line(error.what());
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr)
    text = text.substr(0, text.find(':')) + ": expected a value";
  return fmt::format("gen {}: {}; see gen {} --help", at.get_name(), text, at.get_name());
}

// A name with a line break would make two lines of every message and log that it stands in. JSON may have them.
void check_one_line(const CLI::App& verb) {
  for (const auto* option : verb.get_options())
    for (const auto& value : option->results())
      if (value.find('\n') != std::string::npos && option->get_name() != "--set")
        throw ConfigError(fmt::format("gen {}: {}: expected a text without line breaks, got \"{}\"",
                                      verb.get_name(), option->get_name(), printable_line(value)));
}

}  // namespace

CLI::App* add_verb(CLI::App& app, const char* name, const char* sentence, const char* examples) {
  CLI::App* verb = app.add_subcommand(name, sentence)->group("verbs");
  style_help(*verb, fmt::format("examples:\n{}", examples).c_str());
  return verb;
}

void style_help(CLI::App& app, const char* footer) {
  auto formatter = std::make_shared<HelpText>();
  formatter->column_width(kFlagColumn);
  app.formatter(formatter);
  app.footer(footer);
  app.get_help_ptr()->description("this text");
}

void add_json_flag(CLI::App& verb, SharedFlags& flags) {
  verb.add_flag("--json", flags.json, "print one JSON document instead of text");
}

void add_quiet_flag(CLI::App& verb, SharedFlags& flags) {
  verb.add_flag_callback(
      "--quiet",
      [&flags] {
        flags.quiet = true;
        log::set_level(log::Level::warning);
      },
      "no progress on stderr, only warnings and errors");
}

void add_device_flag(CLI::App& verb, SharedFlags& flags) {
  verb.add_option("--device", flags.device, "cpu, cuda, cuda:N or auto")->option_text("DEVICE");
}

void add_seed_flag(CLI::App& verb, SharedFlags& flags) {
  verb.add_option("--seed", flags.seed, "decides all randomness; default: the config's")
      ->option_text("N")
      ->check(whole_number(0));
}

void add_set_flag(CLI::App& verb, SharedFlags& flags) {
  verb.add_option("--set", flags.sets, "change the config: a dotted key and a JSON value or text; repeatable")
      ->option_text("A.B=V")
      ->allow_extra_args(false);
}

void add_checkpoint_flag(CLI::App& verb, std::string& checkpoint) {
  verb.add_option("--checkpoint", checkpoint,
                  "of the run: last (default), best (least validation loss), or a step")
      ->option_text("WHICH");
}

void add_run_flags(CLI::App& verb, SharedFlags& flags) {
  add_set_flag(verb, flags);
  add_seed_flag(verb, flags);
  add_device_flag(verb, flags);
  add_quiet_flag(verb, flags);
  add_json_flag(verb, flags);
}

CLI::Validator whole_number(int64_t at_least) {
  return CLI::Validator(
      [at_least](const std::string& text) {
        int64_t value = 0;
        const char* end = text.data() + text.size();
        const auto [stopped, error] = std::from_chars(text.data(), end, value);
        if (error == std::errc() && stopped == end && value >= at_least) return std::string();
        return fmt::format("expected a whole number >= {}, got \"{}\"", at_least, text);
      },
      "");
}

CLI::Validator one_of(std::vector<std::string> choices) {
  return CLI::Validator(
      [choices = std::move(choices)](const std::string& text) {
        if (std::find(choices.begin(), choices.end(), text) != choices.end()) return std::string();
        return fmt::format("expected one of {}, got \"{}\"{}", fmt::join(choices, ", "), text,
                           did_you_mean(text, choices));
      },
      "");
}

std::vector<std::string> all_sets(const SharedFlags& flags) {
  auto sets = flags.sets;
  if (flags.seed) sets.push_back(fmt::format("seed={}", *flags.seed));
  if (flags.device) sets.push_back(fmt::format("device={}", *flags.device));
  return sets;
}

void need(const std::string& value, const char* verb, const char* flag, const char* example) {
  if (value.empty()) throw ConfigError(fmt::format("gen {}: {} is missing, e.g. {}", verb, flag, example));
}

bool parse_command_line(CLI::App& app, int argc, char** argv) {
  try {
    app.parse(argc, argv);
    for (const auto* verb : app.get_subcommands()) check_one_line(*verb);
    return true;
  } catch (const CLI::CallForHelp&) {
    const auto chosen = app.get_subcommands();
    results::write((chosen.empty() ? app : *chosen.front()).help());
  } catch (const CLI::CallForVersion& version) {
    results::print("{}\n", version.what());
  } catch (const CLI::ParseError& error) {
    throw ConfigError(explain(app, error));
  }
  return false;
}

}  // namespace gen::cli
