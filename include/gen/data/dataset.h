// Data sets: what a model may know of them (DataSpec), their examples, and batches of these.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gen/config/component.h"
#include "gen/config/json_fields.h"
#include "gen/core/rng.h"
#include "gen/data/bad_examples.h"

namespace gen {

enum class DataKind { images, points };

/// What a model may know of its data. Kept in a run's run.json, so that sampling needs no data set.
struct DataSpec {
  DataKind kind = DataKind::images;
  std::vector<int64_t> shape;            ///< of one example: [C, H, W], or [D] for points
  int64_t num_classes = 0;               ///< 0: unlabelled
  std::vector<std::string> class_names;  ///< num_classes of them, or none
  int64_t levels = 256;                  ///< images: x = k/(levels-1), k = 0..levels-1; 0 for continuous data
  bool captions = false;
  int64_t padding = 0;  ///< images: how many of dims() are a border of zeros around smaller ones

  int64_t dims() const;  ///< product of shape
  bool operator==(const DataSpec&) const = default;
};
Json to_json(const DataSpec& spec);
/// Throws DataError naming the file and the field.
DataSpec data_spec_from_json(const JsonFields& fields);

/// One example. Images are uint8 [C, H, W]; points are float32 [D].
struct Example {
  at::Tensor x;
  int64_t label = -1;
  std::string caption;
};

enum class Split { train, validation, test };
const char* to_string(Split split);

/// B examples, ready for a model: x is float32, images in [0, 1] as k/255, points as they are.
struct Batch {
  at::Tensor x;                       ///< [B, *shape]
  at::Tensor label;                   ///< [B] int64, or undefined
  std::vector<std::string> captions;  ///< B of them, or none
  std::vector<int64_t> indices;       ///< of the examples within their split
  Split split = Split::train;
  std::vector<BadExample> skipped;  ///< passed over on the way, as data.on_error says
  int64_t size() const { return x.defined() ? x.size(0) : 0; }
  Batch to(at::Device device) const;
};

/// "train", "validation" or "test", as to_string() says it.
Split split_named(const std::string& name);

/// A split of a data set with random access. get() is called from many threads at once and must not change state.
class Dataset {
 public:
  virtual ~Dataset() = default;
  virtual const DataSpec& spec() const = 0;
  virtual Split split() const = 0;
  /// 0 where nothing was held out for this split.
  virtual int64_t size() const = 0;
  /// Random flips and crops, of the training split alone, draw from `augmentation`; null, for evaluation: the example as
  /// it is. Throws DataError naming the file (and the record in it) that is wrong.
  virtual Example get(int64_t index, HostRng* augmentation) const = 0;
  /// What to do where get() throws.
  virtual BadExampleOptions bad_examples() const { return {}; }
  /// log p(x) [B] in nats, where the true density is known (toy2d); undefined otherwise.
  virtual at::Tensor log_density(const at::Tensor& x) const;
  /// E[-log p] in nats, where known.
  virtual std::optional<double> entropy() const { return std::nullopt; }
};

/// The data kind: shapes, toy2d, mnist, cifar10, image_folder.
using DatasetKind = Kind<std::unique_ptr<Dataset>(Split)>;
const DatasetKind& datasets();

}  // namespace gen
