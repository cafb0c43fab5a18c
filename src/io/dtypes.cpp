#include "io/dtypes.h"

#include <array>

namespace gen::safetensors {
namespace {

using c10::ScalarType;

// In the order of the reference library's enumeration, which its writer sorts by.
constexpr std::array kDtypes = {
    Dtype{"BOOL", ScalarType::Bool, 1, 0},
    Dtype{"U8", ScalarType::Byte, 1, 1},
    Dtype{"I8", ScalarType::Char, 1, 2},
    Dtype{"F8_E5M2", ScalarType::Float8_e5m2, 1, 3},
    Dtype{"F8_E4M3", ScalarType::Float8_e4m3fn, 1, 4},
    Dtype{"F8_E8M0", ScalarType::Float8_e8m0fnu, 1, 5},
    Dtype{"I16", ScalarType::Short, 2, 6},
    Dtype{"U16", ScalarType::UInt16, 2, 7},
    Dtype{"F16", ScalarType::Half, 2, 8},
    Dtype{"BF16", ScalarType::BFloat16, 2, 9},
    Dtype{"I32", ScalarType::Int, 4, 10},
    Dtype{"U32", ScalarType::UInt32, 4, 11},
    Dtype{"F32", ScalarType::Float, 4, 12},
    Dtype{"C64", ScalarType::ComplexFloat, 8, 13},
    Dtype{"F64", ScalarType::Double, 8, 14},
    Dtype{"I64", ScalarType::Long, 8, 15},
    Dtype{"U64", ScalarType::UInt64, 8, 16},
};

}  // namespace

const Dtype* find_dtype(std::string_view name) {
  for (const auto& each : kDtypes)
    if (each.name == name) return &each;
  return nullptr;
}

const Dtype* find_dtype(ScalarType scalar) {
  for (const auto& each : kDtypes)
    if (each.scalar == scalar) return &each;
  return nullptr;
}

std::string known_dtypes() {
  std::string text;
  for (const auto& each : kDtypes) text += (text.empty() ? "" : ", ") + std::string(each.name);
  return text;
}

}  // namespace gen::safetensors
