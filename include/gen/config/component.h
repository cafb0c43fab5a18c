// A component is an object of the config with a "type"; a kind is the list of the types it may have. Registration
// is explicit: each kind is built in one function, one line a type.
//
//   const Kind<std::unique_ptr<Dataset>(const DataContext&)>& datasets() {
//     static const auto kind = [] {
//       Kind<std::unique_ptr<Dataset>(const DataContext&)> k("data");
//       k.add<ShapesOptions>("shapes", make_shapes, "procedural shapes");
//       return k;
//     }();
//     return kind;
//   }
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace gen {

class OptionVisitor;

/// An options struct whose type is not known here.
class AnyOptions {
 public:
  virtual ~AnyOptions() = default;
  virtual void visit(OptionVisitor& visitor) = 0;
};

template <class T>
class OptionsOf final : public AnyOptions {
 public:
  void visit(OptionVisitor& visitor) override { value.visit(visitor); }
  T value;
};

/// A chosen type and its options. Copies share the options, which are not changed once loaded.
struct Component {
  std::string type;                     ///< empty: absent (null in the config)
  std::shared_ptr<AnyOptions> options;  ///< null until resolved by a kind

  Component() = default;
  /// A default choice of type, with that type's own defaults.
  explicit Component(std::string chosen) : type(std::move(chosen)) {}
  explicit operator bool() const { return !type.empty(); }
  /// The options, which must be those of `type`.
  template <class T>
  const T& as() const {
    return dynamic_cast<const OptionsOf<T>&>(*options).value;
  }
};

/// Component of a given type with given options, as code (not a config) makes it.
template <class T>
Component make_component(std::string type, T options) {
  Component component(std::move(type));
  auto holder = std::make_shared<OptionsOf<T>>();
  holder->value = std::move(options);
  component.options = std::move(holder);
  return component;
}

/// What the config layer and `gen describe` see of a kind: names, sentences, options.
class KindBase {
 public:
  struct Entry {
    std::string type, doc;  ///< doc names the paper
    std::function<std::shared_ptr<AnyOptions>()> make_options;
  };
  explicit KindBase(std::string name) : name_(std::move(name)) {}
  /// As in `gen describe KIND TYPE`: "model", "data", "optimizer", ...
  const std::string& name() const { return name_; }
  const std::vector<Entry>& entries() const { return entries_; }
  std::vector<std::string> types() const;
  /// nullptr when unknown.
  const Entry* find(const std::string& type) const;
  /// Throws ConfigError with the nearest type and the list when unknown.
  const Entry& at(const std::string& type) const;
  /// Gives `component` the default options of its type where it has none yet.
  void resolve(Component& component) const;

 protected:
  void add_entry(Entry entry);

 private:
  std::string name_;
  std::vector<Entry> entries_;
};

template <class Signature>
class Kind;

/// A kind whose types are made as Product(Args...).
template <class Product, class... Args>
class Kind<Product(Args...)> : public KindBase {
 public:
  using KindBase::KindBase;

  /// `maker` takes the options and the arguments. A type registered twice is a broken invariant.
  template <class Options, class Maker>
  void add(std::string type, Maker maker, std::string doc) {
    add_entry({std::move(type), std::move(doc), [] { return std::make_shared<OptionsOf<Options>>(); }});
    makers_.push_back([maker](const Component& component, Args... args) -> Product {
      return maker(component.as<Options>(), std::forward<Args>(args)...);
    });
  }

  /// Throws ConfigError for an unknown type.
  Product make(Component component, Args... args) const {
    const Entry& entry = at(component.type);
    resolve(component);
    return makers_[static_cast<size_t>(&entry - entries().data())](component, std::forward<Args>(args)...);
  }

 private:
  std::vector<std::function<Product(const Component&, Args...)>> makers_;
};

}  // namespace gen
