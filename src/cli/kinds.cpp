#include "cli/kinds.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "gen/config/options.h"
#include "gen/core/error.h"
#include "gen/core/nearest.h"
#include "gen/train/experiment.h"

namespace gen::cli {
namespace {

// Notes the kinds that an options struct takes, in order.
class KindCollector final : public OptionVisitor {
 public:
  KindCollector(std::vector<ListedKind>& kinds, std::string owner)
      : kinds_(kinds), owner_(std::move(owner)) {}

  void component(const char* key, Component&, const KindBase& kind, const char*, const Limits&) override {
    note(key, kind);
  }
  void components(const char* key, std::vector<Component>&, const KindBase& kind, const char*,
                  const Limits&) override {
    note(key, kind);
  }
  void require(bool, const char*, std::string_view, std::string_view) override {}

 protected:
  void leaf(const char*, Slot, const char*, const Limits&) override {}
  bool enter(const char* key, const char*) override {
    sections_.push_back(sections_.empty() ? std::string(key) + "." : sections_.back() + key + ".");
    return true;
  }
  void leave() override { sections_.pop_back(); }

 private:
  void note(const char* key, const KindBase& kind) {
    const bool known =
        std::any_of(kinds_.begin(), kinds_.end(), [&](const auto& each) { return each.kind == &kind; });
    if (!known) kinds_.push_back({&kind, (sections_.empty() ? "" : sections_.back()) + key + owner_});
  }

  std::vector<ListedKind>& kinds_;
  std::string owner_;
  std::vector<std::string> sections_;
};

std::vector<ListedKind> collect() {
  std::vector<ListedKind> kinds;
  KindCollector root(kinds, "");
  ExperimentOptions().visit(root);
  for (size_t i = 0; i < kinds.size(); ++i) {  // grows as it goes
    const KindBase& kind = *kinds[i].kind;
    for (const auto& entry : kind.entries()) {
      KindCollector nested(kinds, fmt::format(" of {} {}", kind.name(), entry.type));
      entry.make_options()->visit(nested);
    }
  }
  return kinds;
}

}  // namespace

const std::vector<ListedKind>& all_kinds() {
  static const std::vector<ListedKind> kinds = collect();
  return kinds;
}

const ListedKind& kind_named(const std::string& name) {
  std::vector<std::string> names;
  for (const auto& each : all_kinds()) {
    names.push_back(each.kind->name());
    if (name == each.kind->name() || name == each.kind->name() + "s") return each;
  }
  names.emplace_back("config");
  throw ConfigError(fmt::format("unknown kind \"{}\"{}; there are: {}", name, did_you_mean(name, names),
                                fmt::join(names, ", ")));
}

}  // namespace gen::cli
