#include <fmt/format.h>

#include "gen/core/error.h"
#include "gen/core/finite.h"
#include "gen/models/model.h"

namespace gen {
namespace {

/// "from step 3 of 50 (time 940) on": of the first to go wrong.
std::string since(const Samples& samples, const at::Tensor& calls) {
  const auto wrong = calls.masked_select(calls.gt(0));
  if (wrong.numel() == 0) return "at the end";
  const int64_t first = wrong.min().item<int64_t>(), total = static_cast<int64_t>(samples.call_times.size());
  return fmt::format("from step {} of {} (time {:g}) on", first, total,
                     samples.call_times[static_cast<size_t>(first - 1)]);
}

}  // namespace

void check_finite(const Samples& samples, int64_t first_index) {
  const bool watched = samples.first_bad_call.defined();
  const auto at_end = non_finite_rows(samples.x).to(at::kLong);
  const auto both = at::stack({at_end, watched ? samples.first_bad_call : at::zeros_like(at_end)}).cpu();
  auto bad = rows_of(both.gt(0).any(0));
  if (bad.empty()) return;
  for (auto& index : bad) index += first_index;
  throw NumericalError(fmt::format(
      "{} of {} samples are not finite, {}: {}; the weights may have diverged (try an earlier checkpoint or "
      "a lower learning rate){}",
      bad.size(), samples.x.size(0), watched ? since(samples, both[1]) : "drawn in one pass", first_few(bad),
      watched ? ", bf16 may not suffice (sample.precision fp32), or the noise schedule may end in too much "
                "noise for prediction_type epsilon (a smaller beta_end, v_prediction)"
              : ", or sample.temperature may be too large"));
}

}  // namespace gen
