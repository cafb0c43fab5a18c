// The loss on held-out data, with noise that is the same at every validation.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "train/session.h"

namespace gen {

/// Means over examples.
struct ValidationScores {
  double loss = 0;
  std::vector<std::pair<std::string, double>> terms;
  int64_t examples = 0;
  std::vector<BadExample> skipped;  ///< left out, as data.on_error says
  std::vector<int64_t> non_finite;  ///< the examples of batches whose loss is not finite
};

/// `train.validation_batches` batches of the validation split, which must be there (evaluation_indices), in evaluation
/// mode and with the averaged weights where there are some. Changes nothing that training depends on. Throws
/// ExampleError.
ValidationScores validate(Session& session, const ExperimentOptions& experiment, int64_t step);

/// While it lives: evaluation mode, averaged weights with running statistics of their own, no gradients.
class EvaluationScope {
 public:
  EvaluationScope(Session& session, const ExperimentOptions& experiment);
  ~EvaluationScope();
  EvaluationScope(const EvaluationScope&) = delete;
  EvaluationScope& operator=(const EvaluationScope&) = delete;

 private:
  Session& session_;
  std::optional<EmaScope> averages_;
  at::NoGradGuard no_grad_;
};

}  // namespace gen
