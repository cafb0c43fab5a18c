// Architectures: each builds the levels of bijectors of one paper from a few options.
#pragma once

#include "models/flow/multi_scale.h"

namespace gen::flow {

/// The flow_architecture kind: nice, realnvp, sequence. Throws ConfigError where one cannot work on such a
/// shape.
using FlowArchitectureKind = Kind<std::shared_ptr<MultiScale>(const BijectorContext&)>;
const FlowArchitectureKind& flow_architectures();

/// NICE (Dinh et al. 2015): additive couplings over the flattened example with odd and even coordinates in
/// turn, then a scaling layer.
struct NiceOptions {
  int64_t couplings = 4;
  std::vector<int64_t> hidden_sizes = {1000, 1000, 1000, 1000, 1000};
  void visit(OptionVisitor& v);
};
std::shared_ptr<MultiScale> make_nice(const NiceOptions& options, const BijectorContext& context);

enum class FlowNorm { none, actnorm, batch_norm };

/// RealNVP (Dinh et al. 2017). Images: at each scale but the last, `couplings` with checkerboard masks, a
/// squeeze, `couplings` with channel masks, and half of the channels factored out; at the last one, couplings
/// + 1 with checkerboard masks. Points: `couplings` with odd and even coordinates in turn. The norm comes
/// before each coupling.
struct RealnvpOptions {
  std::optional<int64_t> num_scales = {};
  int64_t couplings = 3;
  FlowNorm norm = FlowNorm::actnorm;
  Component network = {};
  void visit(OptionVisitor& v);
};
std::shared_ptr<MultiScale> make_realnvp(const RealnvpOptions& options, const BijectorContext& context);

/// Any bijectors, one after the other, on one scale.
struct SequenceOptions {
  std::vector<Component> bijectors = {};
  void visit(OptionVisitor& v);
};
std::shared_ptr<MultiScale> make_sequence(const SequenceOptions& options, const BijectorContext& context);

}  // namespace gen::flow
