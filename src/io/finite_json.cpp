#include "gen/io/finite_json.h"

#include <cmath>
#include <nlohmann/json.hpp>

namespace gen {

Json finite_json(Json value) {
  if (value.is_number_float()) {
    const auto number = value.get<double>();
    if (std::isnan(number)) return "nan";
    if (std::isinf(number)) return number > 0 ? "inf" : "-inf";
  } else if (value.is_structured()) {
    for (auto& each : value) each = finite_json(std::move(each));
  }
  return value;
}

}  // namespace gen
