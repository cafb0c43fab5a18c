#include "gen/config/component.h"

#include <algorithm>

#include <fmt/ranges.h>

#include "gen/core/check.h"
#include "gen/core/nearest.h"

namespace gen {

std::vector<std::string> KindBase::types() const {
  std::vector<std::string> names;
  for (const auto& entry : entries_) names.push_back(entry.type);
  return names;
}

const KindBase::Entry* KindBase::find(const std::string& type) const {
  const auto it =
      std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.type == type; });
  return it == entries_.end() ? nullptr : &*it;
}

const KindBase::Entry& KindBase::at(const std::string& type) const {
  if (const Entry* entry = find(type)) return *entry;
  const auto names = types();
  throw ConfigError(fmt::format("unknown {} type \"{}\"{}; there are: {}", name_, type,
                                did_you_mean(type, names), fmt::join(names, ", ")));
}

void KindBase::resolve(Component& component) const {
  if (component && !component.options) component.options = at(component.type).make_options();
}

void KindBase::add_entry(Entry entry) {
  GEN_CHECK(find(entry.type) == nullptr, "{} type \"{}\" is registered twice", name_, entry.type);
  entries_.push_back(std::move(entry));
}

}  // namespace gen
