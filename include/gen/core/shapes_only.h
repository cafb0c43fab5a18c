// Tensors without memory, to learn how much they would take.
#pragma once

#include <functional>

namespace gen {

/// Runs `work` so that every tensor of 4 million elements or more that it makes has a shape and a dtype but no storage
/// (torch's device "meta"): filling it at random does nothing, reading its values throws.
void with_shapes_only(const std::function<void()>& work);

}  // namespace gen
