#include "gen/nn/named_inputs.h"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <cctype>

#include "gen/core/error.h"

namespace gen {
namespace {

// As NumPy and PyTorch's Python write them.
std::string dtype_name(at::ScalarType dtype) {
  switch (dtype) {
    case at::kDouble:
      return "float64";
    case at::kFloat:
      return "float32";
    case at::kHalf:
      return "float16";
    case at::kLong:
      return "int64";
    case at::kInt:
      return "int32";
    case at::kShort:
      return "int16";
    case at::kChar:
      return "int8";
    case at::kByte:
      return "uint8";
    case at::kBFloat16:
      return "bfloat16";
    default: {
      std::string name = c10::toString(dtype);
      for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      return name;
    }
  }
}

// "[B, 3, H, W]" of {3, -1, -1}.
std::string shape_text(at::IntArrayRef shape) {
  std::string text = "[B";
  const bool image = shape.size() == 3;
  for (size_t i = 0; i < shape.size(); ++i) {
    const std::string any = image && i == 1 ? "H" : image && i == 2 ? "W" : image ? "C" : "N";
    text += ", " + (shape[i] < 0 ? any : std::to_string(shape[i]));
  }
  return text + "]";
}

bool fits(at::IntArrayRef sizes, at::IntArrayRef shape) {
  if (sizes.size() != shape.size()) return false;
  for (size_t i = 0; i < shape.size(); ++i)
    if (shape[i] >= 0 ? sizes[i] != shape[i] : sizes[i] < 1) return false;
  return true;
}

const char* advice(const at::Tensor& given, at::IntArrayRef shape) {
  const auto sizes = given.sizes();
  if (given.numel() == 0) return " (it is empty)";
  if (fits(sizes, shape)) return " (the first dimension counts the examples: unsqueeze(0))";
  if (sizes.size() == 4 && shape.size() == 3 && fits({sizes[3], sizes[1], sizes[2]}, shape))
    return " (channels come before height and width: permute(0, 3, 1, 2))";
  return "";
}

void check_numbers(const std::string& name, const at::Tensor& given, int64_t count, const char* what) {
  if (given.is_complex() || given.scalar_type() == at::kBool || given.dim() > 1 ||
      (given.numel() != count && given.numel() != 1))
    throw DataError(
        fmt::format("{}: expected {} [{}], or one for all, got {}", name, what, count, shown(given)));
}

// What `dtype` cannot hold would become an infinity, for which the weights would be blamed.
at::Tensor narrowed(const std::string& name, const at::Tensor& given, at::ScalarType dtype) {
  const auto narrow = given.to(dtype);
  if (given.is_floating_point() && given.element_size() > narrow.element_size() &&
      !narrow.isfinite().equal(given.isfinite()))
    throw DataError(
        fmt::format("{}: expected numbers within the range of {}, in which the network computes, "
                    "got {} with larger ones",
                    name, dtype_name(dtype), shown(given)));
  return narrow;
}

}  // namespace

std::string shown(const at::Tensor& tensor) {
  return fmt::format("{} [{}]", dtype_name(tensor.scalar_type()), fmt::join(tensor.sizes(), ", "));
}

std::string names_of(const TensorMap& tensors) {
  constexpr size_t kShown = 5;
  std::vector<std::string> names;
  for (const auto& [name, tensor] : tensors)
    if (names.size() < kShown) names.push_back(name);
  if (names.empty()) return "none";
  return fmt::format("{}{}", fmt::join(names, ", "),
                     tensors.size() > kShown ? fmt::format(", ... ({} in all)", tensors.size()) : "");
}

at::Tensor examples_input(const std::string& name, const at::Tensor& given, at::IntArrayRef shape,
                          at::ScalarType dtype) {
  const auto refuse = [&](const char* why) {
    throw DataError(fmt::format("{}: expected floating-point numbers {}, got {}{}", name, shape_text(shape),
                                shown(given), why));
  };
  if (given.dim() == 0 || given.size(0) == 0 || !fits(given.sizes().slice(1), shape))
    refuse(advice(given, shape));
  if (!given.is_floating_point())
    refuse(given.is_complex()
               ? ""
               : " (convert it to float32, and to the range that the network was trained on: pixels 0 to "
                 "255 are -1 to 1 there, or 0 to 1)");
  return narrowed(name, given, dtype);
}

at::Tensor numbers_input(const std::string& name, const at::Tensor& given, int64_t count) {
  check_numbers(name, given, count, "numbers");
  return narrowed(name, given, given.is_floating_point() ? at::kFloat : at::kLong)
      .reshape({-1})
      .expand({count});
}

at::Tensor classes_input(const std::string& name, const at::Tensor& given, int64_t count,
                         int64_t num_classes) {
  check_numbers(name, given, count, "classes (integers)");
  const auto classes = given.to(at::kLong).reshape({-1});
  const auto low = classes.min().item<int64_t>(), high = classes.max().item<int64_t>();
  if (given.is_floating_point() && !given.to(at::kDouble).reshape({-1}).equal(classes.to(at::kDouble)))
    throw DataError(fmt::format("{}: expected classes (integers) [{}], got {}", name, count, shown(given)));
  if (low < 0 || high >= num_classes)
    throw DataError(
        fmt::format("{}: expected classes in [0, {}], got {} to {}", name, num_classes - 1, low, high));
  return classes.expand({count});
}

}  // namespace gen
