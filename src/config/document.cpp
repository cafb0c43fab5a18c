#include "gen/config/document.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "config/field_text.h"
#include "gen/core/error.h"

namespace gen {

void Issues::add(const std::string& where, const std::string& message) {
  lines_.push_back(where.empty() ? message : fmt::format("{}: {}", where, message));
}

void Issues::throw_if_any() const {
  if (!lines_.empty()) throw ConfigError(fmt::format("{}", fmt::join(lines_, "\n")));
}

struct Document::State {
  Json root = Json::object();
  std::string name;
  std::map<std::string, std::string> origins;  // pointer -> file, where it differs from its parent's
};

Document::Document() : state_(std::make_unique<State>()) {}
Document::~Document() = default;
Document::Document(const Document& other) : state_(std::make_unique<State>(*other.state_)) {}
Document::Document(Document&&) noexcept = default;
Document& Document::operator=(Document other) {
  state_ = std::move(other.state_);
  return *this;
}

const Json& Document::root() const { return state_->root; }
Json& Document::root() { return state_->root; }

namespace {

constexpr size_t kDeepest = 64;  // levels of nesting
constexpr size_t kLargestConfigBytes = 16 << 20;

// Builds the value as nlohmann's own DOM parser does, but refuses duplicate keys, values that do not fit a
// double, and nesting beyond kDeepest.
class StrictBuilder : public nlohmann::json_sax<Json> {
 public:
  StrictBuilder(std::string name, Issues& issues) : name_(std::move(name)), issues_(issues) {}
  Json result;

  bool null() override { return put(nullptr); }
  bool boolean(bool value) override { return put(value); }
  bool number_integer(number_integer_t value) override { return put(value); }
  bool number_unsigned(number_unsigned_t value) override { return put(value); }
  bool number_float(number_float_t value, const string_t&) override { return put(value); }
  bool string(string_t& value) override { return put(value); }
  bool binary(binary_t&) override { return false; }
  bool start_object(size_t) override { return open(Json::object()); }
  bool end_object() override { return close(); }
  bool start_array(size_t) override { return open(Json::array()); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    key_ = name;
    if (stack_.back()->contains(name))
      issues_.add(fmt::format("{}: {}/{}", name_, pointer(), field_text::escape_key(name)),
                  "the key is given twice (keep one)");
    return true;
  }
  bool parse_error(size_t, const std::string&, const nlohmann::detail::exception& e) override {
    issues_.add(name_, "not valid JSON " + json_error_text(e.what()));
    return false;
  }

 private:
  Json* place(Json value) {
    if (stack_.empty()) {
      result = std::move(value);
      return &result;
    }
    Json& parent = *stack_.back();
    if (parent.is_object()) {
      path_key_ = key_;
      return &(parent[key_] = std::move(value));
    }
    path_key_ = std::to_string(parent.size());
    parent.push_back(std::move(value));
    return &parent.back();
  }
  template <class T>
  bool put(T value) {
    place(std::move(value));
    return true;
  }
  bool open(Json value) {
    if (stack_.size() >= kDeepest) {
      issues_.add(name_, fmt::format("nested deeper than {} levels", kDeepest));
      return false;
    }
    const bool root = stack_.empty();
    stack_.push_back(place(std::move(value)));
    if (!root) path_.push_back(field_text::escape_key(path_key_));
    return true;
  }
  bool close() {
    stack_.pop_back();
    if (!path_.empty()) path_.pop_back();
    return true;
  }
  std::string pointer() const {
    std::string out;
    for (const auto& part : path_) out += "/" + part;
    return out;
  }

  std::string name_;
  Issues& issues_;
  std::vector<Json*> stack_;
  std::vector<std::string> path_;
  std::string key_, path_key_;
};

// ordered_json stores objects as vectors, so a pointer into a child dies when its parent grows: the builder above
// only ever grows the innermost open container, whose ancestors stay put.

bool read_text(const std::filesystem::path& path, std::string& text, Issues& issues) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    issues.add(path.string(), "expected a file, got a folder");
    return false;
  }
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    issues.add(path.string(), std::filesystem::exists(path, error) ? "cannot be read (check its permissions)"
                                                                   : "no such file");
    return false;
  }
  std::ostringstream buffer;
  buffer << in.rdbuf();
  text = std::move(buffer).str();
  if (text.size() > kLargestConfigBytes) {
    issues.add(path.string(), fmt::format("expected a config of at most {} bytes, got {}",
                                          kLargestConfigBytes, text.size()));
    return false;
  }
  return true;
}

bool parse_text(const std::string& text, const std::string& name, Json& root, Issues& issues) {
  StrictBuilder builder(name, issues);
  const size_t before = issues.size();
  const bool parsed =
      Json::sax_parse(text, &builder, Json::input_format_t::json, /*strict=*/true, /*comments=*/true);
  if (!parsed) {
    if (issues.size() == before) issues.add(name, "not valid JSON");
    return false;
  }
  root = std::move(builder.result);
  if (!root.is_object()) {
    issues.add(name, fmt::format("expected an object {{...}}, got {}", root.type_name()));
    return false;
  }
  return true;
}

using Origins = std::map<std::string, std::string>;

void claim(Origins& origins, const std::string& pointer, const std::string& file) {
  std::erase_if(origins, [&](const auto& each) { return each.first.starts_with(pointer + "/"); });
  origins[pointer] = file;
}

// `over` wins. Two objects merge, unless both name a different "type": the options of one type mean nothing to
// another.
void merge_over(Json& base, const Json& over, const std::string& pointer, const std::string& file,
                Origins& origins) {
  const bool other_type = base.is_object() && over.is_object() && base.contains("type") &&
                          over.contains("type") && base["type"] != over["type"];
  if (!base.is_object() || !over.is_object() || other_type) {
    base = over;
    claim(origins, pointer, file);
    return;
  }
  for (const auto& [key, value] : over.items()) {
    const std::string child = pointer + "/" + field_text::escape_key(key);
    if (base.contains(key)) {
      merge_over(base[key], value, child, file, origins);
    } else {
      base[key] = value;
      claim(origins, child, file);
    }
  }
}

// Reads `path` over what it extends.
bool read_into(const std::filesystem::path& path, Json& root, Origins& origins,
               std::vector<std::filesystem::path>& chain, Issues& issues) {
  const auto canonical = std::filesystem::weakly_canonical(path);
  if (std::find(chain.begin(), chain.end(), canonical) != chain.end()) {
    issues.add(path.string(), fmt::format("extends itself, by way of {}", chain.back().string()));
    return false;
  }
  std::string text;
  Json own;
  if (!read_text(path, text, issues) || !parse_text(text, path.string(), own, issues)) return false;
  bool good = true;
  if (own.contains("extends")) {
    Json parents = own["extends"].is_array() ? own["extends"] : Json::array({own["extends"]});
    own.erase("extends");
    chain.push_back(canonical);
    for (const auto& parent : parents) {
      if (!parent.is_string()) {
        issues.add(path.string() + ": /extends",
                   fmt::format("expected a path or a list of paths, got {}", parent.dump()));
        good = false;
        continue;
      }
      Json base = Json::object();
      Origins base_origins;
      const auto parent_path = path.parent_path() / parent.get<std::string>();
      if (std::error_code error; !std::filesystem::exists(parent_path, error)) {
        issues.add(path.string() + ": /extends",
                   fmt::format("expected an existing file, got {} (no such file {})", parent.dump(),
                               parent_path.string()));
        good = false;
        continue;
      }
      good &= read_into(parent_path, base, base_origins, chain, issues);
      merge_over(root, base, "", "", origins);
      std::erase_if(origins, [](const auto& each) { return each.second.empty(); });
      for (auto& [pointer, file] : base_origins) origins[pointer] = file;
    }
    chain.pop_back();
  }
  merge_over(root, own, "", path.string(), origins);
  return good;
}

}  // namespace

Document Document::read(const std::filesystem::path& path, Issues& issues) {
  Document document;
  document.state_->name = path.string();
  std::vector<std::filesystem::path> chain;
  if (!read_into(path, document.state_->root, document.state_->origins, chain, issues))
    document.state_->root = Json::object();  // half a config would only add mistakes that are none
  return document;
}

Document Document::parse(const std::string& text, const std::string& name, Issues& issues) {
  Document document;
  document.state_->name = name;
  Json root;
  if (parse_text(text, name, root, issues)) {
    if (root.contains("extends")) issues.add(name + ": /extends", "only a config file can extend another");
    root.erase("extends");
    document.state_->root = std::move(root);
  }
  return document;
}

Document Document::from_json(Json value, const std::string& name) {
  Document document;
  document.state_->name = name;
  document.state_->root = std::move(value);
  return document;
}

void Document::set(const std::string& assignment, Issues& issues) {
  const auto equals = assignment.find('=');
  const std::string path = assignment.substr(0, equals);
  const std::string where = "--set " + assignment;
  if (equals == std::string::npos || path.empty() || path.front() == '.' || path.back() == '.' ||
      path.find("..") != std::string::npos)
    return issues.add(where, "expected KEY=VALUE with a dotted key, e.g. train.steps=1000");
  const std::string text = assignment.substr(equals + 1);
  Json value;
  try {
    value = Json::parse(text);
  } catch (const Json::exception&) {  // out_of_range for 1e999
    value = text;
  }
  Json* at = &state_->root;
  std::string pointer;
  std::istringstream parts(path);
  for (std::string part; std::getline(parts, part, '.');) {
    pointer += "/" + field_text::escape_key(part);
    if (at->is_array()) {
      const bool digits =
          !part.empty() && part.size() < 10 && std::all_of(part.begin(), part.end(), ::isdigit);
      if (!digits || std::stoul(part) >= at->size())
        return issues.add(
            where, fmt::format("expected an index below {} at {}, got \"{}\"", at->size(), pointer, part));
      at = &(*at)[std::stoul(part)];
    } else {
      if (!at->is_object()) *at = Json::object();
      // A new type starts from that type's own defaults.
      if (part == "type" && at->contains("type") && (*at)["type"] != value) at->clear();
      at = &(*at)[part];
    }
  }
  *at = std::move(value);
  claim(state_->origins, pointer, "--set " + path);
}

std::string Document::where(const std::string& pointer) const {
  std::string at = pointer;
  while (true) {
    const auto found = state_->origins.find(at);
    if (found != state_->origins.end())
      return fmt::format("{}: {}", found->second, pointer.empty() ? "/" : pointer);
    if (at.empty()) break;
    at.resize(at.rfind('/'));
  }
  return fmt::format("{}: {}", state_->name, pointer.empty() ? "/" : pointer);
}

}  // namespace gen
