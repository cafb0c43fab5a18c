// Mistakes that show only where options meet their surroundings: the data, other sections of the config.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "gen/core/error.h"

namespace gen {

struct OptionMistake {
  std::string pointer;  ///< JSON pointer to the option, below the component that is made: "/in_channels"
  std::string text;     ///< "expected ..., got ... (what to do)"
};

/// One or more of them. Whoever makes a component of its own options puts their key before the pointers (made_within).
class OptionError : public ConfigError {
 public:
  OptionError(std::string pointer, std::string text)
      : OptionError({OptionMistake{std::move(pointer), std::move(text)}}) {}
  explicit OptionError(std::vector<OptionMistake> mistakes);
  const std::vector<OptionMistake>& mistakes() const { return mistakes_; }

 private:
  std::vector<OptionMistake> mistakes_;
};

/// Gathers mistakes, so that all are told at once.
class OptionMistakes {
 public:
  void add(std::string pointer, std::string text);
  /// Adds what `work` throws of ConfigErrors, below `place`; false where there was one.
  bool gather(const std::string& place, const std::function<void()>& work);
  bool empty() const { return mistakes_.empty(); }
  /// Throws an OptionError with all of them.
  void throw_if_any() const;

 private:
  std::vector<OptionMistake> mistakes_;
};

/// What `make` returns; the mistakes that it throws then lie below `place`, such as "/network".
template <class Make>
auto made_within(const std::string& place, Make&& make) {
  OptionMistakes mistakes;
  decltype(make()) made{};
  mistakes.gather(place, [&] { made = make(); });
  mistakes.throw_if_any();
  return made;
}

}  // namespace gen
