#include "cli/sample_writer.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>

#include "gen/core/error.h"
#include "gen/io/file.h"
#include "gen/io/image.h"
#include "gen/io/npy.h"
#include "gen/io/safetensors.h"
#include "gen/io/scatter.h"

namespace gen::cli {
namespace {

constexpr int64_t kGridMost = 256;    // images of a grid
constexpr int64_t kGridMinTile = 32;  // pixels: small images are enlarged to be seen

std::string csv(const at::Tensor& points) {
  const auto x = points.to(at::kDouble).contiguous();
  std::string text;
  for (int64_t i = 0; i < x.size(0); ++i)
    for (int64_t d = 0; d < x.size(1); ++d)
      text +=
          fmt::format("{:.9g}{}", x.data_ptr<double>()[i * x.size(1) + d], d + 1 == x.size(1) ? "\n" : ",");
  return text;
}

std::string picture_name(int64_t index) { return fmt::format("{:05}.png", index); }

}  // namespace

SampleWriter::SampleWriter(SampleFolder& folder, std::string format, DataKind kind, Metadata text)
    : folder_(folder), format_(std::move(format)), kind_(kind), text_(std::move(text)) {}

std::vector<std::string> SampleWriter::planned(const std::string& format, DataKind kind, int64_t count) {
  if (format == "csv" && kind == DataKind::images)
    throw ConfigError(
        "gen sample: --format csv is for points; images are written as png, npy or safetensors");
  if (format == "safetensors") return {"samples.safetensors"};
  if (format == "csv") return {"samples.csv", "labels.npy"};
  if (format == "npy") return {"samples.npy", "labels.npy"};
  if (kind == DataKind::points) return {"scatter.png", "samples.npy", "labels.npy"};
  std::vector<std::string> names{"grid.png"};
  for (int64_t i = 0; i < count; ++i) names.push_back(picture_name(i));
  return names;
}

void SampleWriter::add(const Samples& samples, int64_t first_index) {
  folder_.begin();
  const auto x = samples.x.to(at::kCPU);
  if (format_ == "png" && kind_ == DataKind::images) {
    write_images(x, samples.label, first_index);
    if (num_kept_ >= kGridMost) return;
  }
  kept_.push_back(x);
  num_kept_ += x.size(0);
  if (samples.label.defined()) labels_.push_back(samples.label.to(at::kCPU));
}

std::vector<std::filesystem::path> SampleWriter::finish() {
  std::filesystem::path picture;
  if (format_ == "png" && kind_ == DataKind::images) {
    picture = path("grid.png");
    write_png(picture, make_grid(all().slice(0, 0, kGridMost), 0, 2, kGridMinTile), text_);
  } else {
    if (format_ == "png") {
      picture = path("scatter.png");
      write_png(picture, scatter_plot(all()), text_);
    }
    write_arrays();
  }
  if (!picture.empty()) files_.insert(files_.begin(), picture);
  return files_;
}

void SampleWriter::write_images(const at::Tensor& x, const at::Tensor& label, int64_t first_index) {
  for (int64_t i = 0; i < x.size(0); ++i) {
    Metadata text = text_;
    text["index"] = std::to_string(first_index + i);
    files_.push_back(path(picture_name(first_index + i)));
    if (label.defined()) text["label"] = std::to_string(label[i].item<int64_t>());
    write_png(files_.back(), to_image(x[i]), text);
  }
}

void SampleWriter::write_arrays() {
  const auto x = all();
  const auto labels = labels_.empty() ? at::Tensor() : at::cat(labels_);
  if (format_ == "safetensors") {
    TensorMap tensors{{"samples", x}};
    if (labels.defined()) tensors["labels"] = labels;
    files_.push_back(path("samples.safetensors"));
    return write_safetensors(files_.back(), tensors, text_);
  }
  if (format_ == "csv") {
    files_.push_back(path("samples.csv"));
    write_file_atomically(files_.back(), csv(x));
  } else {
    files_.push_back(path("samples.npy"));
    write_npy(files_.back(), x);
  }
  if (labels.defined()) {
    files_.push_back(path("labels.npy"));
    write_npy(files_.back(), labels);
  }
}

at::Tensor SampleWriter::all() const { return at::cat(kept_); }

}  // namespace gen::cli
