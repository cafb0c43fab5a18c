#include "train/validation.h"

#include <cmath>

#include "gen/data/loader.h"
#include "train/statistics.h"

namespace gen {

EvaluationScope::EvaluationScope(Session& session, const ExperimentOptions& experiment) : session_(session) {
  if (session_.ema) {
    averages_.emplace(*session_.ema);
    if (!session_.ema->has_statistics()) recompute_statistics(session_, experiment);
    session_.ema->note_statistics();
  }
  session_.model->module().eval();
}

EvaluationScope::~EvaluationScope() { session_.model->module().train(); }

ValidationScores validate(Session& session, const ExperimentOptions& experiment, int64_t step) {
  const TrainOptions& options = experiment.train;
  const EvaluationScope scope(session, experiment);
  ValidationScores scores;
  const auto indices =
      evaluation_indices(*session.validation, options.validation_batches * options.batch_size);
  for (int64_t i = 0; i * options.batch_size < std::ssize(indices); ++i) {
    const int64_t first = i * options.batch_size;
    const int64_t count = std::min(options.batch_size, std::ssize(indices) - first);
    const Batch batch =
        read_batch(*session.validation, {indices.begin() + first, indices.begin() + first + count})
            .to(session.device);
    scores.skipped.insert(scores.skipped.end(), batch.skipped.begin(), batch.skipped.end());
    if (batch.size() == 0) continue;
    Rng rng(derive_seed(static_cast<uint64_t>(experiment.seed), Stream::validation, static_cast<uint64_t>(i)),
            session.device);
    const AutocastGuard autocast(options.precision, session.device);
    const LossTerms loss = session.model->loss(batch, {step, options.steps, /*training=*/false, rng});
    const auto weight = static_cast<double>(batch.size());
    const double total = loss.total.item<double>();
    scores.loss += weight * total;
    if (!std::isfinite(total))
      scores.non_finite.insert(scores.non_finite.end(), batch.indices.begin(), batch.indices.end());
    scores.terms.resize(loss.terms.size());
    for (size_t k = 0; k < loss.terms.size(); ++k) {
      scores.terms[k].first = loss.terms[k].first;
      scores.terms[k].second += weight * loss.terms[k].second.item<double>();
    }
    scores.examples += batch.size();
  }
  if (scores.examples == 0)
    throw ExampleError(
        fmt::format("{} (no example of the validation split can be read)", scores.skipped.front().what),
        scores.skipped.front().index);
  const auto examples = static_cast<double>(scores.examples);
  scores.loss /= examples;
  for (auto& [name, value] : scores.terms) value /= examples;
  return scores;
}

}  // namespace gen
