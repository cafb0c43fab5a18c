#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "config/field_text.h"
#include "gen/config/load.h"

namespace gen {
namespace {

class Describer final : public OptionVisitor {
 public:
  std::vector<FieldDoc> rows;

  void component(const char* key, Component& value, const KindBase& kind, const char* doc,
                 const Limits& limits) override {
    const std::string fallback = limits.required && !value ? "required" : value ? value.type : "null";
    rows.push_back({path(key), kind.name() + " component", fallback, types_of(kind), doc});
  }
  void components(const char* key, std::vector<Component>& value, const KindBase& kind, const char* doc,
                  const Limits& limits) override {
    std::vector<std::string> names;
    for (const auto& each : value) names.push_back(each.type);
    const bool required = names.size() < limits.min_size.value_or(limits.required ? 1 : 0);
    rows.push_back({path(key), "list of " + kind.name() + " components",
                    required ? "required" : fmt::format("[{}]", fmt::join(names, ", ")), types_of(kind),
                    doc});
  }
  void require(bool, const char*, std::string_view, std::string_view) override {}

 protected:
  void leaf(const char* key, Slot slot, const char* doc, const Limits& limits) override {
    rows.push_back(
        {path(key), field_text::type_name(slot),
         field_text::is_required(slot, limits) ? "required" : field_text::shown(field_text::value(slot)),
         field_text::range(limits), doc});
  }
  bool enter(const char* key, const char*) override {
    prefix_.push_back(path(key) + ".");
    return true;
  }
  void leave() override { prefix_.pop_back(); }

 private:
  std::string path(const char* key) const { return (prefix_.empty() ? std::string() : prefix_.back()) + key; }
  static std::string types_of(const KindBase& kind) {
    return fmt::format("type one of {}", fmt::join(kind.types(), ", "));
  }
  std::vector<std::string> prefix_;
};

}  // namespace

std::vector<FieldDoc> describe_options(const std::function<void(OptionVisitor&)>& visit) {
  Describer describer;
  visit(describer);
  return std::move(describer.rows);
}

}  // namespace gen
