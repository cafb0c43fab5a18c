#include "gen/config/json_fields.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "config/field_text.h"
#include "gen/core/error.h"

namespace gen {
namespace {

template <class T>
struct Reader;

template <>
struct Reader<bool> {
  static constexpr const char* kExpected = "true or false";
  static std::optional<bool> read(const Json& value) {
    return value.is_boolean() ? std::optional(value.get<bool>()) : std::nullopt;
  }
};
template <>
struct Reader<int64_t> {
  static constexpr const char* kExpected = "an integer";
  static std::optional<int64_t> read(const Json& value) {
    constexpr auto kMost = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
    if (!value.is_number_integer() || (value.is_number_unsigned() && value.get<uint64_t>() > kMost))
      return std::nullopt;
    return value.get<int64_t>();
  }
};
template <>
struct Reader<double> {
  static constexpr const char* kExpected = "a number";
  static std::optional<double> read(const Json& value) {
    if (value == "nan") return std::nan("");
    if (value == "inf") return HUGE_VAL;
    if (value == "-inf") return -HUGE_VAL;
    return value.is_number() ? std::optional(value.get<double>()) : std::nullopt;
  }
};
template <>
struct Reader<std::string> {
  static constexpr const char* kExpected = "a string";
  static std::optional<std::string> read(const Json& value) {
    return value.is_string() ? std::optional(value.get<std::string>()) : std::nullopt;
  }
};
template <class T>
struct Reader<std::vector<T>> {
  static constexpr const char* kExpected =
      std::is_same_v<T, int64_t> ? "a list of integers" : "a list of strings";
  static std::optional<std::vector<T>> read(const Json& value) {
    if (!value.is_array()) return std::nullopt;
    std::vector<T> list;
    for (const auto& each : value) {
      auto element = Reader<T>::read(each);
      if (!element) return std::nullopt;
      list.push_back(std::move(*element));
    }
    return list;
  }
};

}  // namespace

JsonFields::JsonFields(const Json& object, std::string file, std::string pointer)
    : object_(object), file_(std::move(file)), pointer_(std::move(pointer)) {
  if (!object.is_object())
    throw DataError(fmt::format("{}: {}: expected an object {{...}}, got {}", file_,
                                pointer_.empty() ? "/" : pointer_, field_text::shown(object)));
}

std::string JsonFields::where(const char* key) const {
  return fmt::format("{}: {}/{}", file_, pointer_, key);
}

bool JsonFields::has(const char* key) const { return find(key) != nullptr; }

bool JsonFields::is_null(const char* key) const {
  const Json* value = find(key);
  return value != nullptr && value->is_null();
}

template <class T>
T JsonFields::get(const char* key) const {
  const Json* value = find(key);
  auto read = value == nullptr ? std::nullopt : Reader<T>::read(*value);
  if (!read)
    throw DataError(fmt::format("{}: expected {}, got {}", where(key), Reader<T>::kExpected,
                                value == nullptr ? "nothing" : field_text::shown(*value)));
  return std::move(*read);
}
template bool JsonFields::get(const char*) const;
template int64_t JsonFields::get(const char*) const;
template double JsonFields::get(const char*) const;
template std::string JsonFields::get(const char*) const;
template std::vector<int64_t> JsonFields::get(const char*) const;
template std::vector<std::string> JsonFields::get(const char*) const;

JsonFields JsonFields::object(const char* key) const {
  static const Json kNothing;
  const Json* value = find(key);
  return {value == nullptr ? kNothing : *value, file_, pointer_ + "/" + key};
}

const Json* JsonFields::find(const char* key) const {
  const auto at = object_.find(key);
  return at == object_.end() ? nullptr : &*at;
}

}  // namespace gen
