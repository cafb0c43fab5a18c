// Parallel loops on torch's own OpenMP pool, and how large that pool is.
#pragma once

#include <cstdint>
#include <functional>

namespace gen {

/// Runs body(first, last) over disjoint pieces that cover [begin, end), each of at least `grain` indices (but the
/// last), on at most at::get_num_threads() threads; all of them run however few threads come. Serial inside another
/// parallel region. The first exception a piece throws is rethrown. The split depends only on the arguments and the
/// thread count.
void parallel_for(int64_t begin, int64_t end, int64_t grain,
                  const std::function<void(int64_t, int64_t)>& body);

/// Lets torch use `wanted` threads (0: as many as it would itself), or as many as OpenMP and the system give where these
/// are fewer (OMP_THREAD_LIMIT, OMP_DYNAMIC, OMP_MAX_ACTIVE_LEVELS, a limit on processes). Returns that number, which
/// stays: oneDNN waits for every thread that it was promised, for ever. To be called outside of parallel regions, in
/// the thread that will compute.
int use_threads(int wanted = 0);

/// While it lives, libraries called by this thread (oneDNN) plan for one thread: within a piece of parallel_for they
/// get no more, and where pieces run one after the other their plan must be the same.
class OneThreadScope {
 public:
  OneThreadScope();
  ~OneThreadScope();
  OneThreadScope(const OneThreadScope&) = delete;
  OneThreadScope& operator=(const OneThreadScope&) = delete;

 private:
  int before_;
};

}  // namespace gen
