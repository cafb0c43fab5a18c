#include "cli/verb.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "cli/habits.h"
#include "cli/results.h"
#include "gen/core/home.h"
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

std::string unknown_argument(const CLI::App& verb, const std::vector<std::string>& words, size_t i) {
  const std::string name = "gen " + verb.get_name(), meant = meant_instead(verb, words, i);
  const std::string use = meant.empty() ? "" : fmt::format(" (use {})", meant);
  if (!words[i].starts_with("-"))
    return fmt::format("{}: did not expect \"{}\"{}; see {} --help", name, printable_line(words[i]), use,
                       name);
  const std::string flag = printable_line(words[i].substr(0, words[i].find('=')));
  return fmt::format("{}: unknown flag {}{}; see {} --help", name, flag,
                     use.empty() ? did_you_mean(flag, flag_names(verb)) : use, name);
}

// A word before the verb, or in its place.
std::string unknown_at_the_root(const CLI::App& app, const std::string& word) {
  const auto verbs = verb_names(app);
  const auto chosen = app.get_subcommands();
  if (!word.starts_with("-"))
    return fmt::format("gen: unknown verb \"{}\"{}; there are: {}", printable_line(word),
                       did_you_mean(word, verbs), fmt::join(verbs, ", "));
  const std::string flag = printable_line(word.substr(0, word.find('=')));
  if (!chosen.empty())
    return fmt::format("gen: unknown flag {} before the verb: flags come after it, as in gen {} {}", flag,
                       chosen.front()->get_name(), printable_line(word));
  return fmt::format("gen: unknown flag {}{}; a verb comes first: {}", flag,
                     did_you_mean(flag, flag_names(app)), fmt::join(verbs, ", "));
}

// "--count is given twice" and the like, of an error about the number of values.
std::string wrong_number_of_values(const CLI::App& verb, const std::string& flag) {
  const auto* option = verb.get_option_no_throw(flag);
  const std::vector<std::string> given = option == nullptr ? std::vector<std::string>() : option->results();
  if (given.size() < 2) return flag + ": expected a value";
  const auto same = [&](const std::string& value) { return value == given.front(); };
  if (std::all_of(given.begin(), given.end(), same))
    return fmt::format("{} is given {} times; give it once", flag, given.size());
  return fmt::format("{} takes one value, and is given {}; keep one of them", flag,
                     printable_line(fmt::format("{}", fmt::join(given, " and "))));
}

// CLI11's own texts name neither the verb nor the nearest flag.
std::string explain(const CLI::App& app, const CLI::ParseError& error) {
  if (const auto words = app.remaining(); !words.empty()) return unknown_at_the_root(app, words.front());
  const auto chosen = app.get_subcommands();
  const CLI::App& at = chosen.empty() ? app : *chosen.front();
  const auto words = at.remaining();
  if (!words.empty()) {
    std::string lines;
    for (size_t i = 0; i < words.size(); ++i)  // the word after an unknown flag is probably its value
      if (words[i].starts_with("-") || i == 0 || !words[i - 1].starts_with("-"))
        lines += (lines.empty() ? "" : "\n") + unknown_argument(at, words, i);
    return lines;
  }
  if (chosen.empty()) return fmt::format("gen: expected a verb: {}", fmt::join(verb_names(app), ", "));
  std::string text = printable_line(error.what());
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr)
    text = wrong_number_of_values(at, text.substr(0, text.find(':')));
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
                  "of the run: last (default), best (least validation loss), a step, or its folder")
      ->option_text("WHICH");
}

void add_run_flags(CLI::App& verb, SharedFlags& flags) {
  add_set_flag(verb, flags);
  add_seed_flag(verb, flags);
  add_device_flag(verb, flags);
  add_quiet_flag(verb, flags);
  add_json_flag(verb, flags);
}

namespace {

// " (write 1000)" of "1e3".
std::string in_digits(const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  const bool whole = !text.empty() && *end == '\0' && value == std::floor(value) && std::abs(value) < 1e15;
  return whole && text.find_first_of("eE._") != std::string::npos ? fmt::format(" (write {:.0f})", value)
                                                                  : "";
}

}  // namespace

CLI::Validator whole_number(int64_t at_least) {
  return CLI::Validator(
      [at_least](const std::string& text) {
        int64_t value = 0;
        const char* end = text.data() + text.size();
        const auto [stopped, error] = std::from_chars(text.data(), end, value);
        if (error == std::errc() && stopped == end && value >= at_least) return std::string();
        if (error == std::errc::result_out_of_range && stopped == end && !text.starts_with("-"))
          return fmt::format("expected a whole number of at most {}, got \"{}\"",
                             std::numeric_limits<int64_t>::max(), text);
        return fmt::format("expected a whole number >= {}, got \"{}\"{}", at_least, text, in_digits(text));
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

std::vector<Setting> given_sets(const SharedFlags& flags) { return {flags.sets.begin(), flags.sets.end()}; }

std::vector<Setting> all_sets(const SharedFlags& flags) {
  auto sets = given_sets(flags);
  if (flags.seed) sets.emplace_back(fmt::format("seed={}", *flags.seed), "--seed");
  if (flags.device) sets.emplace_back(fmt::format("device={}", *flags.device), "--device");
  return sets;
}

void need(const std::string& value, const char* verb, const char* flag, const char* example) {
  if (value.empty()) throw ConfigError(fmt::format("gen {}: {} is missing, e.g. {}", verb, flag, example));
}

namespace {

// A shell leaves the "~" of --run=~/a alone. Flags and arguments that take a path say FILE, FOLDER, MODEL or PATH.
void expand_home_in_paths(CLI::App& app) {
  const auto is_path = [](const CLI::Option& option) {
    const std::string what = option.get_positional() ? option.get_name(true) : option.get_option_text();
    return what == "FILE" || what == "FOLDER" || what == "MODEL" || what == "PATH";
  };
  const CLI::Validator expand(
      [](std::string& path) {
        path = expand_home(path);
        return std::string();
      },
      "");
  for (CLI::App* verb : app.get_subcommands([](CLI::App*) { return true; }))
    for (CLI::Option* option : verb->get_options())
      if (is_path(*option)) option->transform(expand);
}

}  // namespace

bool parse_command_line(CLI::App& app, int argc, char** argv) {
  expand_home_in_paths(app);
  std::vector<std::string> words(argv + 1, argv + argc);
  if (!words.empty() && words.front() == "help") {  // gen help VERB, as git and cargo have it
    words.erase(words.begin());
    words.resize(std::min<size_t>(words.size(), 1));
    words.emplace_back("--help");
  }
  std::reverse(words.begin(), words.end());  // CLI11 takes them from the end
  try {
    app.parse(std::move(words));
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
