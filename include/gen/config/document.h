// A config document: JSON with comments, `extends` and --set, strict where nlohmann's parser is silent.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "gen/config/json.h"

namespace gen {

/// Mistakes, collected and then thrown together.
class Issues {
 public:
  /// `where` is "file: /json/pointer" or a file.
  void add(const std::string& where, const std::string& message);
  bool empty() const { return size_ == 0; }
  size_t size() const { return size_; }
  /// The first kMostLines of them.
  const std::vector<std::string>& lines() const { return lines_; }
  /// Throws ConfigError with these lines, when there is any.
  void throw_if_any() const;

 private:
  static constexpr size_t kMostLines = 100;
  std::vector<std::string> lines_;
  size_t size_ = 0;
};

/// Whether `config` says where it lies and what it is called: a file, and no name of an open descriptor (/dev/stdin,
/// /dev/fd/63), whether a pipe or a file is behind it.
bool is_named_file(const std::filesystem::path& config);

/// A JSON value and, for error texts, the file (or "--set") each part came from.
class Document {
 public:
  Document();
  ~Document();
  Document(const Document&);
  Document(Document&&) noexcept;
  Document& operator=(Document);

  /// Reads `path`, "-" being standard input (// and /* */ comments allowed), merges what it `extends` (a path or a list of paths, relative to
  /// the file; objects merge, all else replaces; a component whose "type" differs replaces), and reports duplicate
  /// keys, syntax errors with line and column, and cycles into `issues`. Empty where a file is missing or
  /// cannot be parsed. Throws IoError where the system refuses to read one.
  static Document read(const std::filesystem::path& path, Issues& issues);
  /// The same of a text; `name` stands for the file in error texts. `extends` is refused.
  static Document parse(const std::string& text, const std::string& name, Issues& issues);
  static Document from_json(Json value, const std::string& name);

  /// "a.b.0.c=v": v is JSON where it parses as such, otherwise a string; objects on the way are made as needed.
  void set(const std::string& assignment, Issues& issues);

  /// What --set was given for the value at `pointer`, letter by letter: "2024" also where the value became a number.
  /// Null where it was not set so.
  const std::string* typed(const std::string& pointer) const;
  const Json& root() const;
  Json& root();
  /// "configs/vae/mnist.json: /model/latent_dim" for a pointer such as "/model/latent_dim".
  std::string where(const std::string& pointer) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace gen
