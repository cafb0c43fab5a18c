#include "models/flow/flatten.h"

#include <functional>
#include <numeric>

namespace gen::flow {

Mapped Flatten::forward(const at::Tensor& x, const Condition&) {
  return {x.flatten(1), at::zeros({x.size(0)}, x.options())};
}

Mapped Flatten::inverse(const at::Tensor& z, const Condition&) {
  return {z.unflatten(1, shape_), at::zeros({z.size(0)}, z.options())};
}

Shape Flatten::output_shape(const Shape& shape) const {
  return {std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>())};
}

}  // namespace gen::flow
