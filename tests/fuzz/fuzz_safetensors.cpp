// The safetensors reader: any file is read or refused with a DataError.
#include <unistd.h>

#include "gen/core/error.h"
#include "gen/io/file.h"
#include "gen/io/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::string path = fmt::format("/dev/shm/gen-fuzz-safetensors-{}", getpid());
  FILE* file = std::fopen(path.c_str(), "wb");
  if (file == nullptr) std::abort();
  std::fwrite(data, 1, size, file);
  std::fclose(file);
  try {
    gen::read_safetensors(path);
  } catch (const gen::DataError&) {
  }
  unlink(path.c_str());
  return 0;
}
