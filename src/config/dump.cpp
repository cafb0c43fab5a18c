#include <nlohmann/json.hpp>

#include "config/field_text.h"
#include "gen/config/load.h"

namespace gen {
namespace {

class Dumper final : public OptionVisitor {
 public:
  Dumper() : stack_{Json::object()} {}
  Json take() { return std::move(stack_.back()); }

  void component(const char* key, Component& value, const KindBase& kind, const char*,
                 const Limits&) override {
    kind.resolve(value);
    stack_.back()[key] = dump(value);
  }
  void components(const char* key, std::vector<Component>& value, const KindBase& kind, const char*,
                  const Limits&) override {
    Json list = Json::array();
    for (auto& each : value) {
      kind.resolve(each);
      list.push_back(dump(each));
    }
    stack_.back()[key] = std::move(list);
  }
  void require(bool, const char*, std::string_view, std::string_view) override {}

 protected:
  void leaf(const char* key, Slot slot, const char*, const Limits&) override {
    stack_.back()[key] = field_text::value(slot);
  }
  bool enter(const char* key, const char*) override {
    keys_.emplace_back(key);
    stack_.push_back(Json::object());
    return true;
  }
  void leave() override {
    Json inner = std::move(stack_.back());
    stack_.pop_back();
    stack_.back()[keys_.back()] = std::move(inner);
    keys_.pop_back();
  }

 private:
  std::vector<Json> stack_;
  std::vector<std::string> keys_;
};

}  // namespace

Json dump_options(const std::function<void(OptionVisitor&)>& visit) {
  Dumper dumper;
  visit(dumper);
  return dumper.take();
}

Json dump(const Component& component) {
  if (!component) return nullptr;
  Json out = Json::object();
  out["type"] = component.type;
  if (component.options) {
    const Json options = dump_options([&](OptionVisitor& v) { component.options->visit(v); });
    for (const auto& [key, value] : options.items()) out[key] = value;
  }
  return out;
}

}  // namespace gen
