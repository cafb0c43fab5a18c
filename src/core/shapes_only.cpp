#include "gen/core/shapes_only.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <c10/core/impl/LocalDispatchKeySet.h>
#include <torch/library.h>

#include <algorithm>
#include <string>

namespace gen {
namespace {

// Smaller ones are made as ever: tables that a model fills while it is built.
constexpr double kLargeElements = 1 << 22;

double elements_of(const c10::IValue& size) {
  double elements = 1;
  if (size.isIntList())
    for (const int64_t n : size.toIntVector()) elements *= static_cast<double>(n);
  return elements;
}

// Before any function that makes a tensor of a given size: asks for it on the device "meta", whose tensors have no storage.
void make_without_storage(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  const auto& arguments = op.schema().arguments();
  const auto first = stack->end() - static_cast<std::ptrdiff_t>(arguments.size());
  const auto named = [&](const char* name) {
    const auto found = std::find_if(arguments.begin(), arguments.end(),
                                    [&](const auto& each) { return each.name() == name; });
    return found == arguments.end() ? stack->end() : first + (found - arguments.begin());
  };
  const auto size = named("size"), device = named("device");
  if (size != stack->end() && device != stack->end() && elements_of(*size) >= kLargeElements)
    *device = c10::Device(c10::kMeta);
  const c10::impl::ExcludeDispatchKeyGuard once(c10::DispatchKey::DeferredInit);
  op.callBoxed(stack);
}

// Made at the first use: it touches the tables of all operators, which every start of the program would pay for.
void register_fallback() {
  static const auto library = [] {
    auto made = std::make_unique<torch::Library>(torch::Library::IMPL, "_", c10::DispatchKey::DeferredInit,
                                                 __FILE__, __LINE__);
    made->fallback(torch::CppFunction::makeFromBoxedFunction<&make_without_storage>());
    return made;
  }();
}

}  // namespace

void with_shapes_only(const std::function<void()>& work) {
  register_fallback();
  const c10::impl::IncludeDispatchKeyGuard guard(c10::DispatchKey::DeferredInit);
  work();
}

}  // namespace gen
