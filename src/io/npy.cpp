#include "gen/io/npy.h"

#include <ATen/ATen.h>

#include "gen/core/error.h"
#include "gen/io/file.h"

namespace gen {
namespace {

const char* descriptor(at::ScalarType dtype) {
  switch (dtype) {
    case at::kDouble:
      return "<f8";
    case at::kFloat:
      return "<f4";
    case at::kHalf:
      return "<f2";
    case at::kLong:
      return "<i8";
    case at::kInt:
      return "<i4";
    case at::kShort:
      return "<i2";
    case at::kChar:
      return "|i1";
    case at::kByte:
      return "|u1";
    case at::kBool:
      return "|b1";
    default:
      throw DataError(fmt::format(".npy: expected a number type of NumPy, got {}", at::toString(dtype)));
  }
}

}  // namespace

std::string encode_npy(const at::Tensor& tensor) {
  at::Tensor x = tensor.detach().to(at::kCPU);
  if (x.scalar_type() == at::kBFloat16) x = x.to(at::kFloat);
  const char* descr = descriptor(x.scalar_type());
  x = x.contiguous();
  std::string shape;
  for (const int64_t size : x.sizes()) shape += fmt::format("{}, ", size);
  std::string header =
      fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", descr, shape);
  constexpr size_t kPreamble = 10, kAlignment = 64;  // magic, version, length; where the data begin
  header.append(kAlignment - (kPreamble + header.size() + 1) % kAlignment, ' ');
  header += '\n';
  std::string bytes("\x93NUMPY\x01\x00", 8);
  bytes += static_cast<char>(header.size() & 0xff);
  bytes += static_cast<char>(header.size() >> 8);
  bytes += header;
  bytes.append(static_cast<const char*>(x.const_data_ptr()), x.nbytes());
  return bytes;
}

void write_npy(const std::filesystem::path& path, const at::Tensor& tensor) {
  write_file_atomically(path, encode_npy(tensor));
}

}  // namespace gen
