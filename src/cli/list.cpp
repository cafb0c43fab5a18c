// gen list: what there is.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/kinds.h"
#include "cli/results.h"
#include "cli/table.h"
#include "cli/verb.h"
#include "gen/config/json.h"

namespace gen::cli {
namespace {

constexpr const char* kListExamples = R"(  gen list               every type, by kind
  gen list model         the model families
  gen list --json        the same for programs
)";

struct ListFlags : SharedFlags {
  std::string kind;
};

Json as_json(const KindBase& kind) {
  Json types = Json::array();
  for (const auto& entry : kind.entries()) types.push_back({{"type", entry.type}, {"doc", entry.doc}});
  return types;
}

ExitCode run(const ListFlags& flags) {
  results::need_stdout("list");
  std::vector<ListedKind> kinds = all_kinds();
  if (!flags.kind.empty()) kinds = {kind_named(flags.kind)};
  if (flags.json) {
    Json document = Json::object();
    for (const auto& [kind, place] : kinds) document[kind->name()] = as_json(*kind);
    results::print_json(document);
    return ExitCode::ok;
  }
  for (const auto& [kind, place] : kinds) {
    std::vector<std::vector<std::string>> rows;
    for (const auto& entry : kind->entries()) rows.push_back({"  " + entry.type, entry.doc});
    results::print("{}  ({})\n{}\n", kind->name(), place, table({}, rows));
  }
  results::print("gen describe KIND TYPE shows the options of a type\n");
  return ExitCode::ok;
}

}  // namespace

void add_list(CLI::App& app, Action& action) {
  auto flags = std::make_shared<ListFlags>();
  CLI::App* verb = add_verb(app, "list", "Show every registered type, by kind.", kListExamples);
  verb->add_option("KIND", flags->kind, "only this kind, e.g. model")->option_text(kOptional);
  add_json_flag(*verb, *flags);
  verb->callback([&action, flags] { action = [flags] { return run(*flags); }; });
}

}  // namespace gen::cli
