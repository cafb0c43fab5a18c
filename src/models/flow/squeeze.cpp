#include "models/flow/squeeze.h"

#include "gen/core/error.h"

namespace gen::flow {
namespace {

at::Tensor every_second(const at::Tensor& x, int64_t row, int64_t column) {
  return x.slice(2, row, std::nullopt, 2).slice(3, column, std::nullopt, 2);
}

}  // namespace

at::Tensor squeeze_2x2(const at::Tensor& x) {
  return at::cat({every_second(x, 0, 0), every_second(x, 1, 1), every_second(x, 0, 1), every_second(x, 1, 0)},
                 1);
}

at::Tensor unsqueeze_2x2(const at::Tensor& z) {
  const auto cells = z.chunk(4, 1);                                       // (0,0), (1,1), (0,1), (1,0)
  const auto even_rows = at::stack({cells[0], cells[2]}, -1).flatten(3);  // [B, C, H/2, W]
  const auto odd_rows = at::stack({cells[3], cells[1]}, -1).flatten(3);
  return at::stack({even_rows, odd_rows}, 3).flatten(2, 3);  // [B, C, H, W]
}

void require_even_image(const Shape& shape, const char* what) {
  if (shape.size() != 3)
    throw ConfigError(fmt::format("{} works on images, but the data have shape {}", what, to_string(shape)));
  if (shape[1] % 2 != 0 || shape[2] % 2 != 0)
    throw ConfigError(
        fmt::format("{} halves height and width, but here the shape is {}; use fewer scales or "
                    "another image size",
                    what, to_string(shape)));
}

Squeeze::Squeeze(const BijectorContext& context) { require_even_image(context.shape, "a squeeze"); }

Mapped Squeeze::forward(const at::Tensor& x, const Condition&) {
  return {squeeze_2x2(x), at::zeros({x.size(0)}, x.options())};
}

Mapped Squeeze::inverse(const at::Tensor& z, const Condition&) {
  return {unsqueeze_2x2(z), at::zeros({z.size(0)}, z.options())};
}

}  // namespace gen::flow
