#include "io/safetensors_header.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "gen/config/json.h"
#include "gen/core/error.h"
#include "gen/core/text.h"
#include "io/dtypes.h"

namespace gen::safetensors {
namespace {

constexpr size_t kMostTensors = size_t{1} << 18;  // far beyond any model; bounds what a hostile header costs
constexpr size_t kMostDims = 64;
constexpr uint64_t kLargest = std::numeric_limits<int64_t>::max();

// Accepts exactly {"__metadata__": {string: string}, NAME: {"dtype": string, "shape": [n...], "data_offsets":
// [begin, end]}, ...}; any other event ends the parse with an error.
class HeaderParser : public nlohmann::json_sax<Json> {
 public:
  explicit HeaderParser(SafetensorsHeader& header) : header_(header) {}
  std::string error;

  bool null() override { return unexpected("null"); }
  bool boolean(bool) override { return unexpected("a boolean"); }
  bool number_integer(number_integer_t value) override { return unexpected(std::to_string(value)); }
  bool number_float(number_float_t, const string_t& text) override { return unexpected(text); }
  bool binary(binary_t&) override { return unexpected("binary data"); }
  bool number_unsigned(number_unsigned_t value) override {
    if (place_ == Place::shape) {
      if (value > kLargest) return stop(fmt::format("a dimension of {} is too large", value));
      if (entry_.shape.size() == kMostDims) return stop(fmt::format("more than {} dimensions", kMostDims));
      entry_.shape.push_back(static_cast<int64_t>(value));
      return true;
    }
    if (place_ != Place::offsets) return unexpected(std::to_string(value));
    if (num_offsets_ == 2) return stop("\"data_offsets\" has more than 2 numbers");
    (num_offsets_++ == 0 ? entry_.begin : entry_.end) = value;
    return true;
  }
  bool string(string_t& value) override {
    if (place_ == Place::dtype) {
      entry_.dtype = value;
      place_ = Place::entry;
      return true;
    }
    if (place_ != Place::metadata_value) return unexpected("a string");
    header_.metadata[key_] = value;
    place_ = Place::metadata;
    return true;
  }
  bool start_object(size_t) override {
    if (place_ == Place::before) return place_ = Place::top, true;
    if (place_ != Place::top_value) return unexpected("an object");
    if (key_ == "__metadata__") return place_ = Place::metadata, true;
    if (key_.find_first_of(std::string_view("\n\0", 2)) != std::string::npos)
      return stop(fmt::format("expected a name on one line, got \"{}\"", printable_line(key_)));
    entry_ = {};
    entry_.name = key_;
    has_dtype_ = has_shape_ = has_offsets_ = false;
    num_offsets_ = 0;
    place_ = Place::entry;
    return true;
  }
  bool end_object() override {
    if (place_ == Place::entry) {
      if (!has_dtype_ || !has_shape_ || !has_offsets_ || num_offsets_ != 2)
        return stop("expected \"dtype\", \"shape\" and two \"data_offsets\"");
      if (header_.entries.size() == kMostTensors)
        return stop(fmt::format("more than {} tensors", kMostTensors));
      header_.entries.push_back(std::move(entry_));
      entry_ = {};
    }
    place_ = place_ == Place::top ? Place::before : Place::top;
    return true;
  }
  bool start_array(size_t) override {
    if (place_ == Place::shape_value) return place_ = Place::shape, true;
    if (place_ == Place::offsets_value) return place_ = Place::offsets, true;
    return unexpected("a list");
  }
  bool end_array() override {
    place_ = Place::entry;
    return true;
  }
  bool key(string_t& name) override {
    if (place_ == Place::top) {
      if (!names_.insert(name).second) return stop(fmt::format("the name \"{}\" is given twice", name));
      key_ = name;
      place_ = Place::top_value;
      return true;
    }
    if (place_ == Place::metadata) {
      if (header_.metadata.contains(name))
        return stop(fmt::format("the metadata key \"{}\" is given twice", name));
      key_ = name;
      place_ = Place::metadata_value;
      return true;
    }
    if (name == "dtype") return once(has_dtype_, Place::dtype, name);
    if (name == "shape") return once(has_shape_, Place::shape_value, name);
    if (name == "data_offsets") return once(has_offsets_, Place::offsets_value, name);
    return stop(fmt::format("unknown key \"{}\"", name));
  }
  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception&) override {
    error = fmt::format("the header is not valid JSON (UTF-8) at byte {}", position);
    return false;
  }

 private:
  enum class Place {
    before,
    top,
    top_value,
    metadata,
    metadata_value,
    entry,
    dtype,
    shape_value,
    shape,
    offsets_value,
    offsets
  };

  bool once(bool& seen, Place next, const std::string& name) {
    if (seen) return stop(fmt::format("\"{}\" is given twice", name));
    seen = true;
    place_ = next;
    return true;
  }
  bool unexpected(const std::string& got) {
    switch (place_) {
      case Place::before:
        return stop(fmt::format("expected an object, got {}", got));
      case Place::metadata_value:
        return stop(fmt::format("expected a string for metadata \"{}\", got {}", key_, got));
      case Place::dtype:
        return stop(fmt::format("expected a string for \"dtype\", got {}", got));
      case Place::shape_value:
      case Place::shape:
        return stop(fmt::format("expected a list of sizes for \"shape\", got {}", got));
      case Place::offsets_value:
      case Place::offsets:
        return stop(fmt::format("expected two offsets for \"data_offsets\", got {}", got));
      default:
        return stop(fmt::format("expected an object with dtype, shape and data_offsets, got {}", got));
    }
  }
  bool stop(const std::string& what) {
    const bool in_tensor = place_ != Place::before && place_ != Place::top && place_ != Place::metadata &&
                           place_ != Place::metadata_value;
    error = in_tensor ? fmt::format("tensor \"{}\": {}", key_, what) : what;
    return false;
  }

  SafetensorsHeader& header_;
  Place place_ = Place::before;
  std::string key_;
  SafetensorsEntry entry_;
  bool has_dtype_ = false, has_shape_ = false, has_offsets_ = false;
  int num_offsets_ = 0;
  std::unordered_set<std::string> names_;
};

// Empty when the entry's dtype, shape and offsets agree.
std::string check_entry(const SafetensorsEntry& entry) {
  const Dtype* dtype = find_dtype(entry.dtype);
  if (dtype == nullptr) return fmt::format("expected a dtype of {}, got \"{}\"", known_dtypes(), entry.dtype);
  if (entry.begin > entry.end)
    return fmt::format("data_offsets [{}, {}] run backwards", entry.begin, entry.end);
  uint64_t bytes = dtype->bytes, strides = dtype->bytes;
  for (const int64_t size : entry.shape) {
    const auto n = static_cast<uint64_t>(size);
    // LibTorch's strides treat a size of 0 as 1 and must not wrap either.
    if (__builtin_mul_overflow(strides, std::max<uint64_t>(n, 1), &strides) || strides > kLargest)
      return "the product of its sizes is too large";
    bytes *= n;
  }
  if (entry.end - entry.begin != bytes)
    return fmt::format("{} bytes for dtype {} and its shape, but data_offsets hold {}", bytes, entry.dtype,
                       entry.end - entry.begin);
  return {};
}

}  // namespace

SafetensorsHeader parse_header(const std::string& text, uint64_t data_bytes, const std::string& name) {
  const auto fail = [&](const std::string& what) {
    throw DataError(
        fmt::format("{}: not a safetensors file that can be read: {}", name, printable_line(what)));
  };
  if (text.empty() || text.front() != '{') fail("the header does not begin with {");
  SafetensorsHeader header;
  HeaderParser parser(header);
  if (!Json::sax_parse(text, &parser))
    fail(parser.error.empty() ? "the header is not valid JSON" : parser.error);
  std::sort(header.entries.begin(), header.entries.end(), [](const auto& a, const auto& b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  });
  uint64_t covered = 0;
  for (const auto& entry : header.entries) {
    if (const auto what = check_entry(entry); !what.empty())
      fail(fmt::format("tensor \"{}\": {}", entry.name, what));
    if (entry.begin != covered)
      fail(fmt::format("tensor \"{}\" begins at byte {} of the data, expected {} ({})", entry.name,
                       entry.begin, covered,
                       entry.begin < covered ? "it overlaps another" : "there is a hole before it"));
    covered = entry.end;
  }
  if (covered != data_bytes)
    fail(fmt::format("its tensors take {} bytes, but {} follow the header{}", covered, data_bytes,
                     covered > data_bytes ? " (the file is cut short)" : ""));
  return header;
}

}  // namespace gen::safetensors
