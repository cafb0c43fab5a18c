#include "config/field_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>
#include <type_traits>

#include "config/byte_text.h"

#include "gen/core/text.h"

namespace gen::field_text {
namespace {

template <class T>
struct Words {
  static constexpr const char *one = "", *many = "";
};
template <>
struct Words<bool> {
  static constexpr const char *one = "true or false", *name = "boolean", *many = "booleans";
};
template <>
struct Words<int64_t> {
  static constexpr const char *one = "an integer", *name = "integer", *many = "integers";
};
template <>
struct Words<double> {
  static constexpr const char *one = "a number", *name = "number", *many = "numbers";
};
template <>
struct Words<std::string> {
  static constexpr const char *one = "a string", *name = "string", *many = "strings";
};

template <class T>
struct Parts {
  using Element = T;
  static constexpr bool kList = false, kOptional = false;
};
template <class T>
struct Parts<std::vector<T>> {
  using Element = T;
  static constexpr bool kList = true, kOptional = false;
};
template <class T>
struct Parts<std::optional<T>> {
  using Element = T;
  static constexpr bool kList = false, kOptional = true;
};

std::string number(double value) {
  return fmt::format("{:.17g}", value) == fmt::format("{}", value) ? fmt::format("{}", value)
                                                                   : fmt::format("{:g}", value);
}

std::string bounds(const Limits& limits) {
  if (limits.min && limits.max)
    return fmt::format("{}{}, {}{}", limits.exclusive_min ? "(" : "[", number(*limits.min),
                       number(*limits.max), limits.exclusive_max ? ")" : "]");
  if (limits.min) return fmt::format("{} {}", limits.exclusive_min ? ">" : ">=", number(*limits.min));
  if (limits.max) return fmt::format("{} {}", limits.exclusive_max ? "<" : "<=", number(*limits.max));
  return {};
}

std::string size_text(const Limits& limits) {
  if (limits.min_size && limits.max_size && *limits.min_size == *limits.max_size)
    return fmt::format("{} ", *limits.min_size);
  if (limits.min_size && limits.max_size) return fmt::format("{} to {} ", *limits.min_size, *limits.max_size);
  if (limits.min_size) return fmt::format("at least {} ", *limits.min_size);
  if (limits.max_size) return fmt::format("at most {} ", *limits.max_size);
  return {};
}

template <class T>
Json json_of(const T& value) {
  if constexpr (std::is_same_v<T, std::string>)
    return to_json_string(value);
  else
    return value;
}

}  // namespace

std::string type_name(const Slot& slot) {
  return std::visit(
      []<class T>(T*) {
        using P = Parts<T>;
        using W = Words<typename P::Element>;
        if (P::kList) return fmt::format("list of {}", W::many);
        return fmt::format("{}{}", W::name, P::kOptional ? " or null" : "");
      },
      slot);
}

std::string expected(const Slot& slot, const Limits& limits) {
  return std::visit(
      [&]<class T>(T*) {
        using P = Parts<T>;
        using W = Words<typename P::Element>;
        const std::string tail = P::kOptional ? " or null" : "";
        std::string within = bounds(limits);
        if (!within.empty()) within = (limits.min && limits.max ? " in " : " ") + within;
        if (P::kList && !limits.choices.empty())
          return fmt::format("a list of {}of {}", size_text(limits), fmt::join(limits.choices, ", "));
        if (P::kList) return fmt::format("a list of {}{}{}", size_text(limits), W::many, within);
        if (!limits.choices.empty()) return fmt::format("one of {}{}", fmt::join(limits.choices, ", "), tail);
        return fmt::format("{}{}{}", W::one, within, tail);
      },
      slot);
}

bool is_required(const Slot& slot, const Limits& limits) {
  const Json fallback = value(slot);
  return limits.required || (fallback.is_array() && fallback.size() < limits.min_size.value_or(0));
}

std::string range(const Limits& limits) {
  if (!limits.choices.empty()) return fmt::format("one of {}", fmt::join(limits.choices, ", "));
  std::string text = bounds(limits);
  if (limits.existing_path) text = "an existing path";
  const std::string size = size_text(limits);
  if (!size.empty()) text = fmt::format("{}elements{}{}", size, text.empty() ? "" : ", each ", text);
  return text;
}

std::string shown(const Json& value) {
  constexpr size_t kLongest = 80;
  std::string text = value.dump(-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
  if (text.size() > kLongest) text = std::string(first_letters(text, kLongest - 3)) + "...";
  return text;
}

Json value(const Slot& slot) {
  return std::visit(
      []<class T>(T* held) -> Json {
        using P = Parts<T>;
        if constexpr (P::kOptional) {
          return held->has_value() ? json_of(**held) : Json(nullptr);
        } else if constexpr (P::kList) {
          Json list = Json::array();
          for (const auto& element : *held) list.push_back(json_of(element));
          return list;
        } else {
          return json_of(*held);
        }
      },
      slot);
}

}  // namespace gen::field_text
