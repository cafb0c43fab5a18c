// Gradients of all parameters together: their norm, clipping, and which of them are not finite.
#pragma once

#include <string>
#include <vector>

#include "gen/train/optimizer.h"

namespace gen {

/// The gradients that are there, in the order of the groups.
std::vector<at::Tensor> gradients_of(const Optimizer& optimizer);
/// L2 norm of all entries of all tensors as a scalar on their device; not finite where any entry is not.
at::Tensor global_norm(const std::vector<at::Tensor>& gradients);
/// What clipping multiplies gradients of global norm `norm` by, so that it becomes at most `max_norm` (> 0); at most 1.
double clip_factor(double norm, double max_norm);
/// Scales the gradients in place so that their global norm, known to be `norm`, is at most `max_norm` (> 0).
void clip_to_norm_(const std::vector<at::Tensor>& gradients, double norm, double max_norm);
/// Names of the parameters whose gradient is not finite.
std::vector<std::string> non_finite_gradients(const Optimizer& optimizer);
/// Whether every entry of every tensor is finite; one wait for the device.
bool all_finite(const std::vector<at::Tensor>& tensors);

}  // namespace gen
