#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "config/byte_text.h"
#include "config/field_text.h"
#include "gen/config/load.h"
#include "gen/core/home.h"
#include "gen/core/log.h"
#include "gen/core/nearest.h"

namespace gen {
namespace {

constexpr size_t kMostComponents = 4096;

class Loader final : public OptionVisitor {
 public:
  Loader(const Document& document, std::string pointer, Issues& issues, const LoadPolicy& policy)
      : document_(document), issues_(issues), policy_(policy) {
    const auto at = Json::json_pointer(pointer);
    const Json* value = document.root().contains(at) ? &document.root().at(at) : nullptr;
    push(value, std::move(pointer));
  }
  /// Ends the visit: reports the keys that no field declared.
  void finish() { leave(); }

  void component(const char* key, Component& value, const KindBase& kind, const char*,
                 const Limits& limits) override {
    const Json* given = take(key);
    if (given == nullptr) {
      if (limits.required && !value) missing(key, "an object with a \"type\"");
      kind.resolve(value);
      // The type's own required options are still asked for.
      if (value && value.options) visit_component(nullptr, child(key), value);
      return;
    }
    load_component(*given, child(key), value, kind, limits);
  }

  void components(const char* key, std::vector<Component>& value, const KindBase& kind, const char*,
                  const Limits& limits) override {
    const Json* given = take(key);
    if (given == nullptr) {
      if (limits.required || value.size() < limits.min_size.value_or(0))
        missing(key, fmt::format("a list of {} components", kind.name()));
      for (auto& each : value) kind.resolve(each);
      return;
    }
    if (!given->is_array())
      return wrong(child(key), fmt::format("a list of {} components", kind.name()), *given);
    // Each is an object with all its options: far more than its text.
    if (given->size() > kMostComponents)
      return issue(child(key), fmt::format("expected at most {} {} components, got {}", kMostComponents,
                                           kind.name(), given->size()));
    value.assign(given->size(), Component());
    for (size_t i = 0; i < given->size(); ++i)
      load_component((*given)[i], fmt::format("{}/{}", child(key), i), value[i], kind, {.required = true});
    if (limits.min_size && value.size() < *limits.min_size)
      issue(child(key), fmt::format("expected at least {} of them, got {}", *limits.min_size, value.size()));
    if (limits.max_size && value.size() > *limits.max_size)
      issue(child(key), fmt::format("expected at most {} of them, got {}", *limits.max_size, value.size()));
  }

  void require(bool holds, const char* key, std::string_view expected, std::string_view got) override {
    if (holds || frames_.back().broken) return;
    issue(child(key), fmt::format("expected {}, got {}", expected, got));
  }

 protected:
  void leaf(const char* key, Slot slot, const char*, const Limits& limits) override {
    const Json* given = take(key);
    if (given == nullptr) {
      if (field_text::is_required(slot, limits)) missing(key, field_text::expected(slot, limits));
      return;
    }
    std::visit([&](auto* value) { assign(child(key), *given, *value, slot, limits); }, slot);
  }

  bool enter(const char* key, const char*) override {
    const Json* given = take(key);
    if (given != nullptr && !given->is_object()) {
      wrong(child(key), "an object {...}", *given);
      given = nullptr;
    }
    push(given, child(key));
    return true;
  }

  void leave() override {
    const Frame frame = std::move(frames_.back());
    frames_.pop_back();
    if (!frames_.empty()) frames_.back().broken |= frame.broken;
    if (frame.object == nullptr || !frame.object->is_object()) return;
    for (const auto& [key, value] : frame.object->items()) {
      if (std::find(frame.known.begin(), frame.known.end(), key) != frame.known.end()) continue;
      if (policy_.of_another_program && key.starts_with("_")) continue;
      std::string hint = did_you_mean(key, frame.known);
      if (hint.empty() && !frame.known.empty() && !policy_.of_another_program)
        hint = fmt::format(" (there are: {})", fmt::join(frame.known, ", "));
      const std::string at = frame.pointer + "/" + json_pointer_key(key);
      if (policy_.of_another_program)
        log::warning("{}: unknown key, not used{}", document_.where(at), hint);
      else
        issue(at, "unknown key" + hint);
    }
  }

 private:
  struct Frame {
    const Json* object;
    std::string pointer;
    std::vector<std::string> known;
    bool broken = false;  // a field of it is wrong already, so conditions between fields say nothing
  };

  void push(const Json* object, std::string pointer) {
    frames_.push_back({object, std::move(pointer), {}});
    if (object != nullptr && !object->is_object()) {
      wrong(frames_.back().pointer, "an object {...}", *object);
      frames_.back().object = nullptr;
    }
  }
  std::string child(const char* key) const { return frames_.back().pointer + "/" + key; }
  // The value of a key, noting that the key is known.
  const Json* take(const char* key) {
    Frame& frame = frames_.back();
    frame.known.emplace_back(key);
    if (frame.object == nullptr) return nullptr;
    const auto it = frame.object->find(key);
    return it == frame.object->end() ? nullptr : &*it;
  }
  void issue(const std::string& pointer, const std::string& message) {
    issues_.add(document_.where(pointer), message);
    if (!frames_.empty()) frames_.back().broken = true;
  }
  void wrong(const std::string& pointer, const std::string& expected, const Json& got,
             const std::string& hint = {}) {
    issue(pointer, fmt::format("expected {}, got {}{}", expected, field_text::shown(got), hint));
  }
  void missing(const char* key, const std::string& expected) {
    issue(child(key), fmt::format("expected {}, got nothing (the key is required)", expected));
  }

  void load_component(const Json& given, const std::string& pointer, Component& value, const KindBase& kind,
                      const Limits& limits) {
    if (given.is_null() && !limits.required) {
      value = Component();
      return;
    }
    const auto types = kind.types();
    const std::string expected = fmt::format("an object with a \"type\" ({})", fmt::join(types, ", "));
    if (given.is_string() && kind.find(given.get<std::string>()) != nullptr)
      return wrong(pointer, expected, given, fmt::format(" (write {{\"type\": {}}})", given.dump()));
    if (!given.is_object()) return wrong(pointer, expected, given);
    std::string type = value.type;
    if (type.empty() && limits.usual_type != nullptr) type = limits.usual_type;
    if (const auto it = given.find("type"); it != given.end()) {
      if (!it->is_string())
        return wrong(pointer + "/type", fmt::format("one of {}", fmt::join(types, ", ")), *it);
      type = it->get<std::string>();
    }
    if (type.empty())
      return issue(pointer + "/type", fmt::format("expected one of {}, got nothing (the key is required)",
                                                  fmt::join(types, ", ")));
    if (kind.find(type) == nullptr)
      return issue(pointer + "/type", fmt::format("expected one of {}, got \"{}\"{}", fmt::join(types, ", "),
                                                  type, did_you_mean(type, types)));
    value.type = type;
    value.options = kind.at(type).make_options();
    visit_component(&given, pointer, value);
  }

  void visit_component(const Json* given, const std::string& pointer, Component& value) {
    push(given, pointer);
    frames_.back().known.emplace_back("type");
    value.options->visit(*this);
    leave();
  }

  // -- leaves ---------------------------------------------------------------------------------------------------
  void assign(const std::string& pointer, const Json& given, bool& value, const Slot& slot,
              const Limits& limits) {
    if (!given.is_boolean()) return wrong(pointer, field_text::expected(slot, limits), given, unquote(given));
    value = given.get<bool>();
  }
  void assign(const std::string& pointer, const Json& given, int64_t& value, const Slot& slot,
              const Limits& limits) {
    const std::string expected = field_text::expected(slot, limits);
    if (given.is_number_float()) {
      const double number = given.get<double>();
      const bool whole = std::isfinite(number) && number == std::floor(number) && std::abs(number) < 1e15;
      return wrong(pointer, expected, given,
                   whole ? fmt::format(" (write {})", static_cast<int64_t>(number)) : std::string());
    }
    const bool fits =
        given.is_number_unsigned()
            ? given.get<uint64_t>() <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max())
            : given.is_number_integer();
    if (!fits)
      return wrong(pointer, expected, given,
                   given.is_number_unsigned()
                       ? fmt::format(" (integers go up to {})", std::numeric_limits<int64_t>::max())
                       : unquote(given));
    const auto number = given.get<int64_t>();
    if (!in_range(static_cast<double>(number), limits)) return wrong(pointer, expected, given);
    value = number;
  }
  void assign(const std::string& pointer, const Json& given, double& value, const Slot& slot,
              const Limits& limits) {
    const std::string expected = field_text::expected(slot, limits);
    if (!given.is_number()) return wrong(pointer, expected, given, unquote(given));
    const double number = given.get<double>();
    if (!std::isfinite(number) || !in_range(number, limits)) return wrong(pointer, expected, given);
    value = number;
  }
  void assign(const std::string& pointer, const Json& given, std::string& value, const Slot& slot,
              const Limits& limits) {
    const std::string expected = field_text::expected(slot, limits);
    const bool bare = given.is_number() || given.is_boolean();
    const std::string* typed = bare ? document_.typed(pointer) : nullptr;  // --set name=2024
    if (!given.is_string() && typed == nullptr)
      return wrong(pointer, expected, given,
                   bare && limits.choices.empty()
                       ? fmt::format(" (write \"{}\", with its quotes)", given.dump())
                       : "");
    auto text = typed != nullptr ? *typed : from_json_string(given.get<std::string>());
    // Names and paths stand in messages, logs and suggested commands.
    if (std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }))
      return wrong(pointer, "text without control characters", given);
    if (limits.existing_path) text = expand_home(text);
    if (!limits.choices.empty() &&
        std::find(limits.choices.begin(), limits.choices.end(), text) == limits.choices.end())
      return wrong(pointer, expected, given, did_you_mean(text, limits.choices));
    std::error_code error;
    if (limits.existing_path && policy_.check_paths && !text.empty() && !std::filesystem::exists(text, error))
      return wrong(pointer, "an existing file or folder", given,
                   text.starts_with("$")
                       ? " (environment variables are not looked up in a config; write the path)"
                       : " (no such file or folder)");
    value = std::move(text);
  }
  template <class T>
  void assign(const std::string& pointer, const Json& given, std::optional<T>& value, const Slot& slot,
              const Limits& limits) {
    if (given.is_null()) {
      value.reset();
      return;
    }
    T element{};
    const size_t before = issues_.size();
    assign(pointer, given, element, slot, limits);
    if (issues_.size() == before) value = std::move(element);
  }
  template <class T>
  void assign(const std::string& pointer, const Json& given, std::vector<T>& value, const Slot& slot,
              const Limits& limits) {
    const std::string expected = field_text::expected(slot, limits);
    if (!given.is_array()) return wrong(pointer, expected, given);
    const bool few = limits.min_size && given.size() < *limits.min_size;
    const bool many = limits.max_size && given.size() > *limits.max_size;
    if (few || many) return wrong(pointer, expected, given);
    std::vector<T> list(given.size());
    const size_t before = issues_.size();
    T element{};
    const Slot element_slot(&element);
    for (size_t i = 0; i < given.size(); ++i) {
      element = T{};
      assign(fmt::format("{}/{}", pointer, i), given[i], element, element_slot, limits);
      list[i] = element;
    }
    if (issues_.size() == before) value = std::move(list);
  }

  static bool in_range(double number, const Limits& limits) {
    if (limits.min && (number < *limits.min || (limits.exclusive_min && number == *limits.min))) return false;
    return !(limits.max && (number > *limits.max || (limits.exclusive_max && number == *limits.max)));
  }
  static std::string unquote(const Json& given) {
    constexpr size_t kLongestNumber = 64;
    if (!given.is_string() || given.get_ref<const std::string&>().size() > kLongestNumber) return {};
    const Json inner = Json::parse(given.get<std::string>(), nullptr, /*allow_exceptions=*/false);
    return inner.is_number() || inner.is_boolean() ? " (remove the quotes)" : "";
  }

  const Document& document_;
  Issues& issues_;
  LoadPolicy policy_;
  std::vector<Frame> frames_;
};

}  // namespace

void load_options(const Document& document, const std::string& pointer,
                  const std::function<void(OptionVisitor&)>& visit, Issues& issues,
                  const LoadPolicy& policy) {
  Loader loader(document, pointer, issues, policy);
  visit(loader);
  loader.finish();
}

}  // namespace gen
