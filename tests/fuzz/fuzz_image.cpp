// The PNG and JPEG readers: any bytes give pixels or a DataError.
#include "gen/core/error.h"
#include "gen/io/image.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr int64_t kMaxPixels = 1 << 16;
  try {
    gen::decode_image(std::string(reinterpret_cast<const char*>(data), size), "fuzz", kMaxPixels);
  } catch (const gen::DataError&) {
  }
  return 0;
}
