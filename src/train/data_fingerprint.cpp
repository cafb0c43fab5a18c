#include "train/data_fingerprint.h"

#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "gen/core/error.h"
#include "gen/data/named_files.h"
#include "gen/io/file.h"

namespace gen {
namespace {

constexpr int64_t kBetween = 16;

std::string hash_of_example(const Dataset& data, int64_t index) {
  try {
    const Example example = data.get(index, /*augmentation=*/nullptr);
    const at::Tensor x = example.x.contiguous();
    return hash_bytes(fmt::format("{} {} {} ", x.sizes(), example.label, example.caption) +
                      std::string(static_cast<const char*>(x.data_ptr()), x.nbytes()));
  } catch (const DataError&) {
    return {};
  }
}

std::vector<std::string> hashes_of_examples(const Dataset& data) {
  const int64_t size = data.size();
  if (size == 0) return {};
  std::vector<std::string> hashes{hash_of_example(data, 0), hash_of_example(data, size - 1)};
  for (int64_t i = 0; i < kBetween; ++i) {
    const double place = (static_cast<double>(i) + 0.5) / static_cast<double>(kBetween);
    hashes.push_back(hash_of_example(data, static_cast<int64_t>(static_cast<double>(size) * place)));
  }
  return hashes;
}

Json of_split(const Dataset& data) {
  Json print{{"examples", data.size()}, {"hashes", hashes_of_examples(data)}};
  if (const auto* files = dynamic_cast<const NamedFiles*>(&data))
    print["names"] = hash_bytes(files->all_names());
  return print;
}

/// A field of a split's fingerprint; null where it has none, or comes from elsewhere.
Json at_or_null(const Json& print, const char* key) {
  return print.is_object() ? print.value(key, Json()) : Json();
}

bool readable(const Json& hash) { return hash.is_string() && !hash.get_ref<const std::string&>().empty(); }

size_t num_common(const Json& a, const Json& b) {
  return a.is_array() && b.is_array() ? std::min(a.size(), b.size()) : 0;
}

std::string difference_of_split(const std::string& split, const Json& before, const Json& now) {
  const Json had = at_or_null(before, "examples"), has = at_or_null(now, "examples");
  if (had.is_number() && had != has)
    return fmt::format("the run began with {} {} examples and there are {} now", had.dump(),
                       split == "train" ? "training" : split, has.is_number() ? has.dump() : "none");
  const Json names = at_or_null(before, "names");
  if (names.is_string() && names != at_or_null(now, "names"))
    return fmt::format("as many {} examples, but files of other names", split);
  const Json a = at_or_null(before, "hashes"), b = at_or_null(now, "hashes");
  for (size_t i = 0; i < num_common(a, b); ++i)
    if (readable(a[i]) && readable(b[i]) && a[i] != b[i])
      return fmt::format("as many {} examples of the same kind, but not the same ones", split);
  return "";
}

}  // namespace

Json data_fingerprint(const Session& session) {
  Json prints{{"train", of_split(*session.data)}};
  if (session.validation) prints["validation"] = of_split(*session.validation);
  return prints;
}

std::string data_difference(const Json& before, const Json& now) {
  for (const auto& [split, print] : before.items())
    if (const auto text = difference_of_split(split, print, now.value(split, Json())); !text.empty())
      return text;
  for (const auto& [split, print] : now.items())
    if (!before.contains(split))
      return fmt::format("the run began without {} examples and there are some now", split);
  return "";
}

Json completed_fingerprint(Json before, const Json& now) {
  for (auto& [split, print] : before.items()) {
    const Json b = at_or_null(now.value(split, Json()), "hashes");
    const Json a = at_or_null(print, "hashes");
    for (size_t i = 0; i < num_common(a, b); ++i)
      if (!readable(a[i])) print["hashes"][i] = b[i];
  }
  return before;
}

}  // namespace gen
