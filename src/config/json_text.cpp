#include "gen/config/json_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_set>
#include <vector>

#include "config/encoding.h"
#include "config/field_text.h"
#include "gen/core/text.h"

namespace gen {
namespace {

// Builds the value as nlohmann's own DOM parser does, within the bounds of json_text.h. Keys are appended without
// ordered_json's search, which is linear in the object.
class BoundedBuilder : public nlohmann::json_sax<Json> {
 public:
  BoundedBuilder(const std::string& text, const std::string& name, Issues& issues)
      : text_(text), name_(name), issues_(issues) {}
  Json result;

  bool null() override { return put(nullptr); }
  bool boolean(bool value) override { return put(value); }
  bool number_integer(number_integer_t value) override { return put(value); }
  bool number_unsigned(number_unsigned_t value) override { return put(value); }
  bool number_float(number_float_t value, const string_t&) override { return put(value); }
  bool string(string_t& value) override { return put(std::move(value)); }
  bool binary(binary_t&) override { return false; }
  bool start_object(size_t) override { return open(Json::object()); }
  bool end_object() override { return close(); }
  bool start_array(size_t) override { return open(Json::array()); }
  bool end_array() override { return close(); }

  bool key(string_t& name) override {
    auto& keys = open_.back().keys;
    if (keys.size() >= kMostJsonKeys)
      return refuse(fmt::format("more than {} keys in one object", kMostJsonKeys));
    if (!keys.insert(name).second)
      issues_.add(fmt::format("{}: {}/{}", name_, pointer(), json_pointer_key(name)),
                  "the key is given twice (keep one)");
    key_ = std::move(name);
    return true;
  }

  bool parse_error(size_t position, const std::string& token,
                   const nlohmann::detail::exception& error) override {
    constexpr int kNumberOverflow = 406;
    const std::string what =
        error.id == kNumberOverflow
            ? fmt::format("{}: the number {} does not fit a double", place_of(position), shortened(token, 40))
            : json_error_text(error.what());
    issues_.add(name_, "not valid JSON " + what);
    return false;
  }

 private:
  struct Open {
    Json* value;
    std::string key;  // by which its parent holds it
    std::unordered_set<std::string> keys;
  };

  // A pointer into a child dies when its parent grows, but only the innermost open container ever does.
  Json* place(Json value) {
    if (open_.empty()) return &(result = std::move(value));
    Json& parent = *open_.back().value;
    if (parent.is_object())
      return &parent.get_ref<Json::object_t&>().emplace_back(key_, std::move(value)).second;
    parent.push_back(std::move(value));
    return &parent.back();
  }
  template <class T>
  bool put(T&& value) {
    if (++num_values_ > kMostJsonValues) return refuse(fmt::format("more than {} values", kMostJsonValues));
    place(Json(std::forward<T>(value)));
    return true;
  }
  bool open(Json value) {
    if (open_.size() >= kDeepestJson)
      return refuse(fmt::format("nested deeper than {} levels", kDeepestJson));
    if (++num_values_ > kMostJsonValues) return refuse(fmt::format("more than {} values", kMostJsonValues));
    std::string key;
    if (!open_.empty()) {
      const Json& parent = *open_.back().value;
      key = parent.is_object() ? json_pointer_key(key_) : std::to_string(parent.size());
    }
    open_.push_back({place(std::move(value)), std::move(key), {}});
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }
  bool refuse(const std::string& what) {
    issues_.add(name_, what);
    return false;
  }
  std::string pointer() const {
    std::string out;
    for (size_t i = 1; i < open_.size(); ++i) out += "/" + open_[i].key;
    return out;
  }
  // As nlohmann's parser writes it: the byte that was read last, both counted from 1.
  std::string place_of(size_t position) const {
    const auto read = text_.begin() + static_cast<std::ptrdiff_t>(std::min(position, text_.size()));
    const auto line_begin = std::find(std::make_reverse_iterator(read), text_.rend(), '\n').base();
    return fmt::format("at line {}, column {}", 1 + std::count(text_.begin(), line_begin, '\n'),
                       read - line_begin);
  }

  const std::string& text_;
  const std::string& name_;
  Issues& issues_;
  std::vector<Open> open_;
  std::string key_;
  size_t num_values_ = 0;
};

}  // namespace

bool parse_json(const std::string& text, const std::string& name, Json& value, Issues& issues,
                bool comments) {
  if (const auto mistake = encoding_mistake(text); !mistake.empty()) {
    issues.add(name, mistake);
    return false;
  }
  BoundedBuilder builder(text, name, issues);
  const size_t before = issues.size();
  if (!Json::sax_parse(text, &builder, Json::input_format_t::json, /*strict=*/true, comments)) {
    if (issues.size() == before) issues.add(name, "not valid JSON");
    return false;
  }
  value = std::move(builder.result);
  return true;
}

}  // namespace gen
