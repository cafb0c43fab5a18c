// The files that `gen sample` leaves.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cli/sample_folder.h"
#include "gen/data/dataset.h"
#include "gen/io/tensor_map.h"
#include "gen/models/model.h"

namespace gen::cli {

/// Writes samples as they are drawn, chunk by chunk. Images: png (grid.png of the first 256 and 00000.png,
/// ... each), npy or safetensors. Points: png (scatter.png, with samples.npy), npy, csv or safetensors.
/// Arrays hold the samples unclamped, in the units of Batch::x.
class SampleWriter {
 public:
  /// `text` goes into every PNG. `folder`, which must outlive it, knows the names of planned().
  SampleWriter(SampleFolder& folder, std::string format, DataKind kind, Metadata text);
  /// The files that `count` samples may become. Throws ConfigError where the data cannot be written as `format`.
  static std::vector<std::string> planned(const std::string& format, DataKind kind, int64_t count);
  void add(const Samples& samples, int64_t first_index);
  /// Writes what needs all samples. Returns every file written, the one to look at first.
  std::vector<std::filesystem::path> finish();

 private:
  void write_images(const at::Tensor& x, const at::Tensor& label, int64_t first_index);
  void write_arrays();
  at::Tensor all() const;

  std::filesystem::path path(const std::string& name) const { return folder_.path() / name; }

  SampleFolder& folder_;
  std::string format_;
  DataKind kind_;
  Metadata text_;
  std::vector<at::Tensor> kept_, labels_;  // the whole for arrays, the grid's part for PNGs
  int64_t num_kept_ = 0;
  std::vector<std::filesystem::path> files_;
};

}  // namespace gen::cli
