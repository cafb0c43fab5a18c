// Every kind of component that a config may name, for `gen list` and `gen describe`.
#pragma once

#include <string>
#include <vector>

#include "gen/config/component.h"

namespace gen::cli {

struct ListedKind {
  const KindBase* kind;
  std::string place;  ///< where a config first names it: "model", "train.optimizer", "encoder of model vae"
};

/// Found by asking the config's options, and those of every type found there, which kinds they take: a kind
/// needs no second registration to be listed. Outermost first.
const std::vector<ListedKind>& all_kinds();
/// By name, singular or plural. Throws ConfigError with the nearest name and the list.
const ListedKind& kind_named(const std::string& name);

}  // namespace gen::cli
