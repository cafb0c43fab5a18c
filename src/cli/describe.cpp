// gen describe: the options of a type, from the one declaration that also parses them.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "cli/kinds.h"
#include "cli/results.h"
#include "cli/table.h"
#include "cli/verb.h"
#include "gen/config/load.h"
#include "gen/core/nearest.h"
#include "gen/train/experiment.h"

namespace gen::cli {
namespace {

constexpr const char* kDescribeExamples =
    R"(  gen describe model vae         options of a type: default, range, meaning, paper
  gen describe vae               the same where the name is of one kind only
  gen describe model             the types of a kind
  gen describe config            the sections of a config file
)";

struct DescribeFlags : SharedFlags {
  std::string kind, type;
};

struct Found {
  const KindBase* kind;
  const KindBase::Entry* entry;
};

Json as_json(const std::vector<FieldDoc>& fields) {
  Json rows = Json::array();
  for (const auto& field : fields)
    rows.push_back({{"key", field.key},
                    {"type", field.type},
                    {"default", field.fallback},
                    {"range", field.range},
                    {"doc", field.doc}});
  return rows;
}

constexpr size_t kWidestDefault = 24;

// A JSON list with blanks after its commas, where a table may break it.
std::string spaced(const std::string& json) {
  std::string text;
  for (const char c : json) text += c == ',' ? ", " : std::string(1, c);
  return text;
}

std::string table_of(const std::vector<FieldDoc>& fields) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& field : fields) {
    // The types of a component say all that its range would.
    const std::string range = field.range.empty() ? "" : fmt::format(" [{}]", field.range);
    const bool bracketed = field.range.starts_with("[") || field.range.starts_with("(");
    // A long default would squeeze every meaning into a narrow column.
    const bool long_default = field.fallback.size() > kWidestDefault;
    rows.push_back({"  " + field.key, field.type, long_default ? "..." : field.fallback,
                    field.doc + (bracketed ? "; in " + field.range : range) +
                        (long_default ? fmt::format("; default {}", spaced(field.fallback)) : "")});
  }
  return rows.empty() ? "  (no options)\n" : table({"  key", "type", "default", "meaning"}, rows, 140);
}

// A word that is no kind may be a type.
std::vector<Found> types_named(const std::string& name) {
  std::vector<Found> found;
  for (const auto& listed : all_kinds())
    if (const auto* entry = listed.kind->find(name)) found.push_back({listed.kind, entry});
  return found;
}

Found find(const DescribeFlags& flags) {
  if (!flags.type.empty()) {
    const auto& listed = kind_named(flags.kind);
    return {listed.kind, &listed.kind->at(flags.type)};
  }
  const auto found = types_named(flags.kind);
  if (found.size() == 1) return found.front();
  std::vector<std::string> commands;
  for (const auto& each : found)
    commands.push_back(fmt::format("gen describe {} {}", each.kind->name(), flags.kind));
  throw ConfigError(
      fmt::format("\"{}\" is a type of several kinds; use {}", flags.kind, fmt::join(commands, " or ")));
}

ExitCode describe_config(const DescribeFlags& flags) {
  const auto fields = describe<ExperimentOptions>();
  if (flags.json)
    results::print_json(Json({{"kind", "config"}, {"options", as_json(fields)}}));
  else
    results::print(
        "a config file, one JSON object (comments allowed; \"extends\": \"base.json\" merges over another "
        "file)\n\n{}",
        table_of(fields));
  return ExitCode::ok;
}

ExitCode describe_kind(const ListedKind& listed, const DescribeFlags& flags) {
  if (flags.json) {
    Json types = Json::array();
    for (const auto& entry : listed.kind->entries())
      types.push_back({{"type", entry.type}, {"doc", entry.doc}});
    results::print_json(Json({{"kind", listed.kind->name()}, {"types", types}}));
    return ExitCode::ok;
  }
  std::vector<std::vector<std::string>> rows;
  for (const auto& entry : listed.kind->entries()) rows.push_back({"  " + entry.type, entry.doc});
  results::print("{}  ({})\n{}\ngen describe {} TYPE shows the options of a type\n", listed.kind->name(),
                 listed.place, table({}, rows), listed.kind->name());
  return ExitCode::ok;
}

ExitCode run(const DescribeFlags& flags) {
  need(flags.kind, "describe", "KIND", "gen describe model vae (gen list shows what there is)");
  results::need_stdout("describe");
  if (flags.kind == "config" && flags.type.empty()) return describe_config(flags);
  if (flags.type.empty() && types_named(flags.kind).empty())
    return describe_kind(kind_named(flags.kind), flags);
  const auto [kind, entry] = find(flags);
  const auto options = entry->make_options();
  const auto fields = describe_options([&](OptionVisitor& v) { options->visit(v); });
  if (flags.json)
    results::print_json(
        {{"kind", kind->name()}, {"type", entry->type}, {"doc", entry->doc}, {"options", as_json(fields)}});
  else
    results::print("{} {}: {}\n\n{}", kind->name(), entry->type, entry->doc, table_of(fields));
  return ExitCode::ok;
}

}  // namespace

void add_describe(CLI::App& app, Action& action) {
  auto flags = std::make_shared<DescribeFlags>();
  CLI::App* verb = add_verb(app, "describe", "Show the options of a type: defaults, ranges, meaning, paper.",
                            kDescribeExamples);
  verb->add_option("KIND", flags->kind, "model, data, ..., or config")->option_text(" ");
  verb->add_option("TYPE", flags->type, "a type of that kind")->option_text(kOptional);
  add_json_flag(*verb, *flags);
  verb->callback([&action, flags] { action = [flags] { return run(*flags); }; });
}

}  // namespace gen::cli
