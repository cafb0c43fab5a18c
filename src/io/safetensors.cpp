#include "gen/io/safetensors.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "gen/config/json.h"
#include "gen/core/check.h"
#include "gen/io/content.h"
#include "gen/io/file.h"
#include "io/dtypes.h"
#include "io/posix.h"
#include "io/safetensors_header.h"

namespace gen {
namespace {

constexpr uint64_t kLargestHeader = 100'000'000;  // the reference library's own limit

// What the file is instead, where its first bytes say so.
std::string content_at_start(int file) {
  std::array<char, 64> start{};
  const ssize_t got = ::pread(file, start.data(), start.size(), 0);
  return got <= 0 ? std::string() : content_name({start.data(), static_cast<size_t>(got)}, "");
}

SafetensorsHeader read_header(int file, uint64_t size, const std::filesystem::path& path) {
  const auto fail = [&](const std::string& what) {
    throw DataError(fmt::format("{}: not a safetensors file that can be read: {}", path.string(), what));
  };
  std::array<uint8_t, 8> prefix{};
  if (size < prefix.size()) fail(fmt::format("expected at least 8 bytes, got {}", size));
  posix::read_exactly(file, path, prefix.data(), prefix.size());
  uint64_t length = 0;
  for (size_t i = 0; i < prefix.size(); ++i) length |= uint64_t{prefix[i]} << (8 * i);
  if (length > size - prefix.size())
    if (const auto other = content_at_start(file); !other.empty()) fail("it is " + other);
  if (length > kLargestHeader)
    fail(fmt::format("a header of {} bytes is beyond the limit of {}", length, kLargestHeader));
  if (length > size - prefix.size())
    fail(fmt::format("a header of {} bytes in a file of {} (cut short?)", length, size));
  std::string text(static_cast<size_t>(length), '\0');
  posix::read_exactly(file, path, text.data(), text.size());
  auto header = safetensors::parse_header(text, size - prefix.size() - length, path.string());
  header.data_offset = prefix.size() + length;
  return header;
}

// LibTorch may assume that a bool is 0 or 1.
void check_booleans(const at::Tensor& tensor, const std::string& name, const std::filesystem::path& path) {
  const auto* bytes = static_cast<const uint8_t*>(tensor.const_data_ptr());
  if (std::any_of(bytes, bytes + tensor.numel(), [](uint8_t each) { return each > 1; }))
    throw DataError(fmt::format("{}: tensor \"{}\" is of dtype BOOL but holds bytes other than 0 and 1",
                                path.string(), name));
}

struct Item {
  const std::string* name;
  const at::Tensor* tensor;
  const safetensors::Dtype* dtype;
};

// In the order that the reference library writes: by dtype, the largest first, then by name.
std::vector<Item> ordered(const TensorMap& tensors) {
  std::vector<Item> items;
  for (const auto& [name, tensor] : tensors) {
    GEN_CHECK(tensor.defined(), "tensor \"{}\" is undefined", name);
    GEN_CHECK(name != "__metadata__", "\"__metadata__\" is no tensor's name in safetensors");
    const auto* dtype = safetensors::find_dtype(tensor.scalar_type());
    GEN_CHECK(dtype != nullptr && tensor.layout() == at::kStrided,
              "tensor \"{}\" of {} has no place in safetensors", name, c10::toString(tensor.scalar_type()));
    items.push_back({&name, &tensor, dtype});
  }
  std::stable_sort(items.begin(), items.end(),
                   [](const Item& a, const Item& b) { return a.dtype->rank > b.dtype->rank; });
  return items;
}

std::string header_text(const std::vector<Item>& items, const Metadata& metadata) {
  Json header = Json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  uint64_t offset = 0;
  // Entries are appended without ordered_json's search for the key: the names of a map are unique.
  for (const auto& item : items) {
    const uint64_t end = offset + static_cast<uint64_t>(item.tensor->numel()) * item.dtype->bytes;
    Json entry = {
        {"dtype", item.dtype->name}, {"shape", item.tensor->sizes().vec()}, {"data_offsets", {offset, end}}};
    header.get_ref<Json::object_t&>().emplace_back(*item.name, std::move(entry));
    offset = end;
  }
  std::string text = header.dump(-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
  text.resize((text.size() + 7) / 8 * 8, ' ');  // the data begin at a multiple of 8 bytes
  return text;
}

}  // namespace

SafetensorsHeader read_safetensors_header(const std::filesystem::path& path) {
  uint64_t size = 0;
  const auto file = posix::open_to_read(path, size);
  return read_header(file.get(), size, path);
}

TensorMap read_safetensors(const std::filesystem::path& path, Metadata* metadata) {
  uint64_t size = 0;
  const auto file = posix::open_to_read(path, size);
  auto header = read_header(file.get(), size, path);
  TensorMap tensors;
  for (const auto& entry : header.entries) {
    const auto* dtype = safetensors::find_dtype(entry.dtype);
    auto tensor = at::empty(entry.shape, at::TensorOptions().dtype(dtype->scalar));
    posix::read_exactly(file.get(), path, tensor.mutable_data_ptr(),
                        static_cast<size_t>(entry.end - entry.begin));
    if (dtype->scalar == at::kBool) check_booleans(tensor, entry.name, path);
    tensors.emplace(entry.name, std::move(tensor));
  }
  if (metadata != nullptr) *metadata = std::move(header.metadata);
  return tensors;
}

void write_safetensors(const std::filesystem::path& path, const TensorMap& tensors,
                       const Metadata& metadata) {
  const auto items = ordered(tensors);
  const std::string header = header_text(items, metadata);
  AtomicFile file(path);
  std::array<uint8_t, 8> prefix{};
  for (size_t i = 0; i < prefix.size(); ++i)
    prefix[i] = static_cast<uint8_t>(uint64_t{header.size()} >> (8 * i));
  file.write(prefix.data(), prefix.size());
  file.write(header.data(), header.size());
  for (const auto& item : items) {
    // One tensor at a time comes to the host.
    const auto host = item.tensor->detach().to(at::kCPU).resolve_conj().resolve_neg().contiguous();
    file.write(host.const_data_ptr(), host.nbytes());
  }
  file.commit();
}

}  // namespace gen
