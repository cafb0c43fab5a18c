#include "gen/io/finite_json.h"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "gen/core/error.h"

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

double number_from(const Json& value) {
  if (value.is_number()) return value.get<double>();
  if (value == "nan") return std::numeric_limits<double>::quiet_NaN();
  if (value == "inf") return std::numeric_limits<double>::infinity();
  if (value == "-inf") return -std::numeric_limits<double>::infinity();
  throw DataError("expected a number, got " +
                  value.dump(-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace));
}

}  // namespace gen
