// From a document to options, and back; and the table that `gen describe` prints.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "gen/config/document.h"
#include "gen/config/options.h"

namespace gen {

struct LoadPolicy {
  /// A config that another program wrote (diffusers): keys that begin with "_", its bookkeeping, pass, and other keys
  /// that no field declares are warned of, as that program does, instead of refused.
  bool of_another_program = false;
  bool check_paths = true;  ///< files named by the config must exist; off to sample from a moved run
};

/// Fills `options` from the object at `pointer` of `document`; every mistake goes to `issues` as
/// "file: /pointer: expected ..., got ... (did you mean ...)".
void load_options(const Document& document, const std::string& pointer,
                  const std::function<void(OptionVisitor&)>& visit, Issues& issues,
                  const LoadPolicy& policy = {});

template <class T>
void load(const Document& document, T& options, Issues& issues, const std::string& pointer = "",
          const LoadPolicy& policy = {}) {
  load_options(document, pointer, [&](OptionVisitor& v) { options.visit(v); }, issues, policy);
}

/// Every field with its value, defaults included; load(dump(x)) == x and dump is a fixed point.
Json dump_options(const std::function<void(OptionVisitor&)>& visit);

template <class T>
Json dump(const T& options) {
  T copy = options;
  return dump_options([&](OptionVisitor& v) { copy.visit(v); });
}
/// {"type": ..., options...}, or null for an absent component.
Json dump(const Component& component);

/// One row of `gen describe`.
struct FieldDoc {
  std::string key;       ///< dotted within sections
  std::string type;      ///< "integer", "number", "list of integers", "data component", ...
  std::string fallback;  ///< the default as JSON, "required", or "null"
  std::string range;     ///< "[1, 65536]", "one of a, b", ""
  std::string doc;
};
std::vector<FieldDoc> describe_options(const std::function<void(OptionVisitor&)>& visit);

template <class T>
std::vector<FieldDoc> describe(T options = T()) {
  return describe_options([&](OptionVisitor& v) { options.visit(v); });
}

}  // namespace gen
