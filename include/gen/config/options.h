// Options are declared once: a struct's visit() names each field with its default, range and a sentence, and that
// one declaration gives parsing with every error at once, the resolved config, and `gen describe`.
//
//   struct VaeOptions {
//     int64_t latent_dim = 16;
//     void visit(OptionVisitor& v) {
//       v.field("latent_dim", latent_dim, "size of the latent vector", {.min = 1, .max = 65536});
//     }
//   };
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "gen/config/component.h"

namespace gen {

/// What a field accepts beside its type. For lists the bounds hold for each element.
struct Limits {
  std::optional<double> min = {}, max = {};
  bool exclusive_min = false, exclusive_max = false;   ///< (min, max) instead of [min, max]
  std::vector<std::string> choices = {};               ///< allowed values of a string
  bool required = false;                               ///< no default: must be given
  std::optional<size_t> min_size = {}, max_size = {};  ///< number of elements of a list
  bool existing_path = false;                          ///< a file or folder that must exist, unless empty
  const char* usual_type = nullptr;                    ///< of a component whose object names no "type"
};

/// The field types. Optional ones accept null.
using Slot = std::variant<bool*, int64_t*, double*, std::string*, std::vector<int64_t>*, std::vector<double>*,
                          std::vector<std::string>*, std::optional<bool>*, std::optional<int64_t>*,
                          std::optional<double>*, std::optional<std::string>*>;

/// Receives the declaration of every field of an options struct, in order.
class OptionVisitor {
 public:
  virtual ~OptionVisitor() = default;

  /// A leaf. T is one of Slot's.
  template <class T>
  void field(const char* key, T& value, const char* doc, const Limits& limits = {}) {
    leaf(key, Slot(&value), doc, limits);
  }
  /// An enumeration, written as one of the given names.
  template <class E, size_t N>
  void choice(const char* key, E& value, const std::array<std::pair<const char*, E>, N>& names,
              const char* doc) {
    Limits limits;
    std::string text;
    for (const auto& [name, each] : names) {
      limits.choices.emplace_back(name);
      if (each == value) text = name;
    }
    leaf(key, Slot(&text), doc, limits);
    for (const auto& [name, each] : names)
      if (text == name) value = each;
  }
  /// A nested object with fields of its own.
  template <class S>
  void section(const char* key, S& value, const char* doc) {
    if (!enter(key, doc)) return;
    value.visit(*this);
    leave();
  }
  /// An object with a "type" of the given kind; null where `value` has no type and none is required.
  virtual void component(const char* key, Component& value, const KindBase& kind, const char* doc,
                         const Limits& limits = {}) = 0;
  /// A list of them.
  virtual void components(const char* key, std::vector<Component>& value, const KindBase& kind,
                          const char* doc, const Limits& limits = {}) = 0;
  /// A condition between fields, after they were visited; `expected` and `got` end the error text of field `key`.
  virtual void require(bool holds, const char* key, std::string_view expected, std::string_view got) = 0;

 protected:
  virtual void leaf(const char* key, Slot value, const char* doc, const Limits& limits) = 0;
  virtual bool enter(const char* key, const char* doc) = 0;
  virtual void leave() = 0;
};

}  // namespace gen
