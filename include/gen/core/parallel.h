// Parallel loops on torch's own OpenMP pool.
#pragma once

#include <cstdint>
#include <functional>

namespace gen {

/// Runs body(first, last) over disjoint pieces that cover [begin, end), each of at least `grain` indices (but the
/// last), on at most at::get_num_threads() threads. Serial inside another parallel region. The first exception a
/// piece throws is rethrown. The split depends only on the arguments and the thread count.
void parallel_for(int64_t begin, int64_t end, int64_t grain,
                  const std::function<void(int64_t, int64_t)>& body);

}  // namespace gen
