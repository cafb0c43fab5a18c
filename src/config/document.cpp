#include "gen/config/document.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <unordered_map>

#include "config/byte_text.h"
#include "config/field_text.h"
#include "gen/config/json_text.h"
#include "gen/core/error.h"
#include "gen/core/home.h"
#include "gen/core/os_error.h"
#include "gen/core/text.h"

namespace gen {

void Issues::add(const std::string& where, const std::string& message) {
  // A file of a million mistakes is not told a million times.
  if (++size_ > kMostLines) return;
  lines_.push_back(printable_line(where.empty() ? message : fmt::format("{}: {}", where, message)));
}

void Issues::throw_if_any() const {
  if (lines_.empty()) return;
  const auto more = size_ - lines_.size();
  throw ConfigError(fmt::format("{}{}", fmt::join(lines_, "\n"),
                                more == 0 ? "" : fmt::format("\n  ... and {} more mistakes", more)));
}

struct Document::State {
  Json root = Json::object();
  std::string name;
  std::map<std::string, std::string> origins;  // pointer -> file, where it differs from its parent's
  std::map<std::string, std::string> typed;    // pointer -> what --set was given, letter by letter
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

// All files of one config together: itself and what it extends.
constexpr size_t kLargestConfigBytes = 16 << 20;
constexpr size_t kMostFiles = 256;
constexpr size_t kLongestChain = 32;

bool read_text(const std::filesystem::path& path, size_t max_bytes, std::string& text, Issues& issues) {
  const auto refuse = [&](const std::string& what) {
    issues.add(path.string(), what);
    return false;
  };
  std::error_code error;
  if (std::filesystem::is_directory(path, error))
    return refuse(
        std::filesystem::exists(path / "config.json", error)
            ? fmt::format("expected a file, got a folder (write {})", (path / "config.json").string())
            : "expected a file, got a folder");
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  if (!in && (errno == ENOENT || errno == ENOTDIR)) return refuse("no such file");
  if (!in) throw IoError(fmt::format("{}: cannot be read: {}", path.string(), os_error_text(errno)));
  // A pipe or a device may have no end, so no more is read than may come.
  std::vector<char> piece(size_t{1} << 16);
  while (in.read(piece.data(), static_cast<std::streamsize>(piece.size())), in.gcount() > 0) {
    text.append(piece.data(), static_cast<size_t>(in.gcount()));
    if (text.size() > max_bytes)
      return refuse(
          fmt::format("expected a config of at most {} bytes, with what it extends", kLargestConfigBytes));
  }
  return true;
}

bool parse_text(const std::string& text, const std::string& name, Json& root, Issues& issues) {
  if (!parse_json(text, name, root, issues, /*comments=*/true)) return false;
  if (!root.is_object()) {
    issues.add(name, fmt::format("expected an object {{...}}, got {}", field_text::shown(root)));
    return false;
  }
  return true;
}

using Origins = std::map<std::string, std::string>;

void claim(Origins& origins, const std::string& pointer, const std::string& file) {
  const std::string below = pointer + "/";
  auto at = origins.lower_bound(below);
  while (at != origins.end() && at->first.starts_with(below)) at = origins.erase(at);
  origins[pointer] = file;
}

// Where the keys of an object are: ordered_json itself searches them one by one.
class KeyIndex {
 public:
  explicit KeyIndex(Json& object) : object_(object.get_ref<Json::object_t&>()) {
    for (size_t i = 0; i < object_.size(); ++i) places_.emplace(object_.data()[i].first, i);
  }
  Json* find(const std::string& key) {
    const auto found = places_.find(key);
    return found == places_.end() ? nullptr : &object_.data()[found->second].second;
  }
  void append(const std::string& key, const Json& value) {
    places_.emplace(key, object_.size());
    object_.emplace_back(key, value);
  }

 private:
  Json::object_t& object_;
  std::unordered_map<std::string, size_t> places_;
};

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
  KeyIndex index(base);
  for (const auto& [key, value] : over.items()) {
    const std::string child = pointer + "/" + json_pointer_key(key);
    if (Json* held = index.find(key)) {
      merge_over(*held, value, child, file, origins);
    } else {
      index.append(key, value);
      claim(origins, child, file);
    }
  }
}

// Where the paths of a config begin: at its folder, or at the working directory where it comes from a pipe.
std::filesystem::path folder_of(const std::filesystem::path& config) {
  return is_named_file(config) ? config.parent_path() : std::filesystem::path();
}

// Reads a config over what it extends. Files may extend each other in 2^n ways: what all of it may cost is bounded.
class ConfigReader {
 public:
  explicit ConfigReader(Issues& issues) : issues_(issues) {}

  bool read(const std::filesystem::path& path, Json& root, Origins& origins) {
    std::error_code error;
    const auto canonical = std::filesystem::weakly_canonical(path, error);
    if (std::find(chain_.begin(), chain_.end(), canonical) != chain_.end())
      return refuse(path, fmt::format("extends itself, by way of {}", chain_.back().string()));
    if (chain_.size() >= kLongestChain)
      return refuse(path, fmt::format("the chain of \"extends\" that leads here is longer than {} files",
                                      kLongestChain));
    if (++num_files_ > kMostFiles)
      return refuse(path, fmt::format("more than {} files are read by way of \"extends\"", kMostFiles));
    std::string text;
    Json own;
    if (!read_text(path, kLargestConfigBytes - num_bytes_, text, issues_) ||
        !parse_text(text, path.string(), own, issues_))
      return false;
    num_bytes_ += text.size();
    bool good = true;
    if (own.contains("extends")) {
      const Json parents = own["extends"].is_array() ? own["extends"] : Json::array({own["extends"]});
      own.erase("extends");
      chain_.push_back(canonical);
      for (const auto& parent : parents)
        if (num_files_ <= kMostFiles) good = read_parent(path, parent, root, origins) && good;
      chain_.pop_back();
    }
    merge_over(root, own, "", path.string(), origins);
    return good;
  }

 private:
  bool read_parent(const std::filesystem::path& path, const Json& parent, Json& root, Origins& origins) {
    if (!parent.is_string())
      return refuse(path.string() + ": /extends",
                    fmt::format("expected a path or a list of paths, got {}", field_text::shown(parent)));
    const auto parent_path = folder_of(path) / expand_home(from_json_string(parent.get<std::string>()));
    if (std::error_code error; !std::filesystem::exists(parent_path, error))
      return refuse(path.string() + ": /extends",
                    fmt::format("expected an existing file, got {} (no such file {})",
                                field_text::shown(parent), parent_path.string()));
    Json base = Json::object();
    Origins base_origins;
    const bool good = read(parent_path, base, base_origins);
    merge_over(root, base, "", "", origins);
    std::erase_if(origins, [](const auto& each) { return each.second.empty(); });
    for (auto& [pointer, file] : base_origins) origins[pointer] = file;
    return good;
  }
  bool refuse(const std::filesystem::path& where, const std::string& what) {
    issues_.add(where.string(), what);
    return false;
  }

  Issues& issues_;
  std::vector<std::filesystem::path> chain_;
  size_t num_files_ = 0, num_bytes_ = 0;
};

}  // namespace

bool is_named_file(const std::filesystem::path& config) {
  const std::string& path = config.native();
  std::error_code error;
  return !path.starts_with("/dev/") && !path.starts_with("/proc/") &&
         std::filesystem::is_regular_file(config, error);
}

Document Document::read(const std::filesystem::path& path, Issues& issues) {
  Document document;
  document.state_->name = path.string();
  if (!ConfigReader(issues).read(path == "-" ? "/dev/stdin" : path, document.state_->root,
                                 document.state_->origins))
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
  Json value = to_json_string(text);
  if (Json::accept(text) && !parse_json(text, where, value, issues)) return;
  Json* at = &state_->root;
  std::string pointer;
  std::istringstream parts(path);
  for (std::string part; std::getline(parts, part, '.');) {
    pointer += "/" + json_pointer_key(part);
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
  std::erase_if(state_->typed, [&](const auto& each) { return each.first.starts_with(pointer + "/"); });
  state_->typed[pointer] = text;
  claim(state_->origins, pointer, "--set " + path);
}

const std::string* Document::typed(const std::string& pointer) const {
  const auto found = state_->typed.find(pointer);
  return found == state_->typed.end() ? nullptr : &found->second;
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
