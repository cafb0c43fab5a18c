#include "data/mnist/mnist.h"

#include <fmt/format.h>

#include <cmath>

#include "data/held_out.h"
#include "data/in_memory_images.h"
#include "data/mnist/idx.h"
#include "data/mnist/locate.h"
#include "gen/core/error.h"
#include "gen/core/log.h"

namespace gen {
namespace {

namespace fs = std::filesystem;

struct FilePair {
  IdxArray images, labels;
  std::string source;
};

FilePair read_pair(const fs::path& folder, const std::string& prefix) {
  const auto [images, labels] = locate_idx(folder, prefix);
  FilePair pair{read_idx(images, 3), read_idx(labels, 1), labels.string()};
  if (pair.images.dims[0] != pair.labels.dims[0])
    throw DataError(fmt::format("{} has {} images but {} has {} labels: they do not belong together",
                                images.string(), pair.images.dims[0], labels.string(), pair.labels.dims[0]));
  return pair;
}

std::vector<std::string> class_names(const MnistOptions& options) {
  if (!options.class_names.empty()) return options.class_names;
  std::vector<std::string> names;
  for (int64_t i = 0; i < options.num_classes; ++i) names.push_back(std::to_string(i + options.first_label));
  return names;
}

/// Copies one image into the middle of a square of zeros.
void place(const uint8_t* image, int64_t rows, int64_t columns, bool transposed, int64_t size, uint8_t* out) {
  const int64_t height = transposed ? columns : rows, width = transposed ? rows : columns;
  uint8_t* corner = out + (size - height) / 2 * size + (size - width) / 2;
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width; ++x)
      corner[y * size + x] = transposed ? image[x * columns + y] : image[y * columns + x];
}

// Zeros around images may not take the memory of a machine where the files take none: a few kB of .gz can hold
// millions of images of one pixel.
constexpr int64_t kMostGrowth = 16;
constexpr int64_t kSmallBytes = int64_t{256} << 20;

std::vector<uint8_t> place_all(const IdxArray& images, const std::vector<int64_t>& rows,
                               const MnistOptions& options) {
  const int64_t height = images.dims[1], width = images.dims[2], size = options.size;
  if (std::max(height, width) > size)
    throw ConfigError(fmt::format("mnist: data.size is {} but the images are {} x {}; choose at least {}",
                                  size, height, width, std::max(height, width)));
  const auto count = static_cast<int64_t>(rows.size());
  if (size * size > kMostGrowth * height * width && count > kSmallBytes / (size * size))
    throw ConfigError(
        fmt::format("mnist: data.size is {} but the {} images are {} x {}: zeros would take {} of every {} "
                    "bytes; choose at most {}",
                    size, count, height, width, size * size - height * width, size * size,
                    static_cast<int64_t>(std::sqrt(static_cast<double>(kMostGrowth * height * width)))));
  std::vector<uint8_t> pixels(rows.size() * static_cast<size_t>(size * size));
  uint8_t* out = pixels.data();
  for (const int64_t row : rows) {
    place(images.values.data() + row * height * width, height, width, options.transposed, size, out);
    out += size * size;
  }
  return pixels;
}

void take_labels(const FilePair& pair, const std::vector<int64_t>& rows, const MnistOptions& options,
                 ImageTable& table) {
  for (const int64_t row : rows) {
    const int64_t label = pair.labels.values[static_cast<size_t>(row)];
    const int64_t last = options.first_label + options.num_classes - 1;
    const bool wrong = label < options.first_label || label > last;
    if (wrong)
      table.wrong[std::ssize(table.labels)] = fmt::format(
          "{}: record {}: expected a label in [{}, {}], got {}; set data.num_classes and "
          "data.first_label as the data need",
          pair.source, row, options.first_label, last, label);
    table.labels.push_back(wrong ? uint8_t{0} : static_cast<uint8_t>(label - options.first_label));
  }
}

}  // namespace

std::unique_ptr<Dataset> make_mnist(const MnistOptions& options, Split split) {
  if (options.path.empty())
    throw ConfigError(
        "mnist needs data.path, a folder with the IDX files (train-images-idx3-ubyte.gz and so on): "
        "--set data.path=FOLDER");
  if (split == Split::train && options.train_prefix.starts_with("emnist-") && !options.transposed)
    log::warning(
        "{}: EMNIST's files store columns first, so its images will lie on their side: --set "
        "data.transposed=true",
        options.path);
  const bool from_test_files = split == Split::test && options.test == 0;
  const FilePair pair = read_pair(options.path, from_test_files ? options.test_prefix : options.train_prefix);
  const int64_t total = pair.images.dims[0];
  const auto rows = from_test_files ? all_rows(total)
                                    : held_out_rows(split, total, options.validation, options.test, "mnist");
  ImageTable table;
  table.split = split;
  table.spec.shape = {1, options.size, options.size};
  table.spec.padding = options.size * options.size - pair.images.dims[1] * pair.images.dims[2];
  table.spec.num_classes = options.num_classes;
  table.spec.class_names = class_names(options);
  table.pixels = place_all(pair.images, rows, options);
  table.bad_examples = options.bad_examples;
  take_labels(pair, rows, options, table);
  return make_in_memory_images(std::move(table));
}

}  // namespace gen
