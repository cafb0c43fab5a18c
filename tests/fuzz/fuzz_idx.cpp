// The IDX reader on any bytes, plain or gzip-compressed: a DataError or an array of the size it claims.
#include <cstdlib>
#include <numeric>

#include "data/mnist/idx.h"
#include "gen/core/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  for (const size_t rank : {1U, 3U}) {
    try {
      const gen::IdxArray array = gen::parse_idx(bytes, "fuzz", rank);
      const auto count =
          std::accumulate(array.dims.begin(), array.dims.end(), int64_t{1}, std::multiplies<>());
      if (array.dims.size() != rank || array.values.size() != static_cast<size_t>(count)) std::abort();
    } catch (const gen::DataError&) {
    }
  }
  return 0;
}
