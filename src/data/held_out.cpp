#include "data/held_out.h"

#include <fmt/format.h>

#include "gen/core/error.h"

namespace gen {

RowRange held_out_rows(Split split, int64_t total, int64_t validation, int64_t test,
                       const std::string& data) {
  const int64_t train = total - validation - test;
  if (train < 1)
    throw ConfigError(
        fmt::format("{}: holding out {} examples for validation and {} for test leaves none of the {} "
                    "to train on; lower data.validation or data.test",
                    data, validation, test, total));
  switch (split) {
    case Split::train:
      return {0, train};
    case Split::validation:
      return {train, validation};
    case Split::test:
      return {train + validation, test};
  }
  return {};
}

}  // namespace gen
