#include "data/cifar10/cifar10.h"

#include <fmt/format.h>

#include "data/held_out.h"
#include "data/in_memory_images.h"
#include "gen/core/error.h"
#include "gen/core/quote.h"
#include "gen/io/content.h"
#include "gen/io/file.h"

namespace gen {
namespace {

namespace fs = std::filesystem;

// A record is one byte of label, then 1024 red, 1024 green and 1024 blue bytes, row by row: [3, 32, 32].
constexpr size_t kPixels = 3 * 32 * 32;
constexpr size_t kRecord = 1 + kPixels;
constexpr uint64_t kMaxFile = uint64_t{1} << 32;

constexpr const char* kBinary = "cifar-10-batches-bin";  // what cifar-10-binary.tar.gz unpacks to

fs::path batches_folder(const fs::path& path) {
  const fs::path inner = path / kBinary;
  std::error_code error;
  return fs::is_directory(inner, error) ? inner : path;
}

/// Where the folder holds CIFAR-10 in another form.
std::string found_instead(const fs::path& folder) {
  std::error_code error;
  if (fs::exists(folder / "cifar-10-binary.tar.gz", error))
    return fmt::format("; unpack the archive that is there: tar -xzf {} -C {}",
                       shell_quote((folder / "cifar-10-binary.tar.gz").string()), shell_quote(folder.string()));
  if (fs::exists(folder / "cifar-10-batches-py", error) || fs::exists(folder / "data_batch_1", error) ||
      fs::exists(folder / "cifar-10-python.tar.gz", error))
    return "; the Python version (pickles) is there: fetch the binary version, cifar-10-binary.tar.gz, "
           "beside it";
  return {};
}

void check_size(const std::string& bytes, const fs::path& path) {
  if (bytes.empty() || bytes.size() % kRecord != 0)
    throw DataError(fmt::format(
        "{}: expected whole records of {} bytes, got {} bytes: the file is truncated, or not "
        "of the binary version of CIFAR-10{}",
        path.string(), kRecord, bytes.size(),
        content_name(bytes, "").empty() ? "" : fmt::format(": it is {}", content_name(bytes, ""))));
}

struct Records {
  std::string bytes;
  std::map<int64_t, std::string> wrong;  // by the record's place in all files
};

void append(const std::string& bytes, const fs::path& path, Records& records) {
  check_size(bytes, path);
  for (size_t at = 0; at < bytes.size(); at += kRecord)
    if (const auto label = static_cast<uint8_t>(bytes[at]); label > 9)
      records.wrong[static_cast<int64_t>((records.bytes.size() + at) / kRecord)] = fmt::format(
          "{}: record {}: expected a label in [0, 9], got {}: the file is damaged, or not of "
          "CIFAR-10",
          path.string(), at / kRecord, label);
  records.bytes += bytes;
}

Records read_records(const fs::path& folder, Split split) {
  std::vector<std::string> names{"test_batch.bin"};
  if (split != Split::test) {
    names.clear();
    for (int i = 1; i <= 5; ++i) names.push_back(fmt::format("data_batch_{}.bin", i));
  }
  Records records;
  for (const auto& name : names) {
    const fs::path path = folder / name;
    if (std::error_code error; !fs::is_regular_file(path, error))
      throw DataError(
          fmt::format("{}: no {} in this folder; data.path is to hold the six .bin files of the binary "
                      "version of CIFAR-10{}",
                      folder.string(), name, found_instead(folder)));
    append(read_file(path, kMaxFile), path, records);
  }
  return records;
}

}  // namespace

std::unique_ptr<Dataset> make_cifar10(const Cifar10Options& options, Split split) {
  if (options.path.empty())
    throw ConfigError(
        "cifar10 needs data.path, the folder with data_batch_1.bin ... test_batch.bin: "
        "--set data.path=FOLDER");
  const fs::path folder = batches_folder(options.path);
  const Records records = read_records(folder, split);
  const auto total = static_cast<int64_t>(records.bytes.size() / kRecord);
  const auto rows =
      split == Split::test ? all_rows(total) : held_out_rows(split, total, options.validation, 0, "cifar10");
  ImageTable table;
  table.split = split;
  table.spec.shape = {3, 32, 32};
  table.spec.num_classes = 10;
  table.spec.class_names = {"airplane", "automobile", "bird",  "cat",  "deer",
                            "dog",      "frog",       "horse", "ship", "truck"};
  table.random_flip = options.random_flip && split == Split::train;
  table.pixels.reserve(rows.size() * kPixels);
  for (const int64_t row : rows) {
    const char* record = records.bytes.data() + static_cast<size_t>(row) * kRecord;
    if (const auto wrong = records.wrong.find(row); wrong != records.wrong.end())
      table.wrong[std::ssize(table.labels)] = wrong->second;
    table.labels.push_back(static_cast<uint8_t>(record[0]));
    table.pixels.insert(table.pixels.end(), record + 1, record + kRecord);
  }
  table.bad_examples = options.bad_examples;
  return make_in_memory_images(std::move(table));
}

}  // namespace gen
