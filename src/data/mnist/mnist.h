// The mnist data set: MNIST and every set that comes as the same four IDX files (Fashion-MNIST, KMNIST,
// EMNIST).
#pragma once

#include "gen/config/options.h"
#include "gen/data/dataset.h"

namespace gen {

struct MnistOptions {
  std::string path;
  std::string train_prefix = "train";
  std::string test_prefix = "t10k";
  int64_t size = 28;
  bool transposed = false;
  int64_t validation = 0;
  int64_t test = 0;
  int64_t num_classes = 10;
  int64_t first_label = 0;
  std::vector<std::string> class_names;
  BadExampleOptions bad_examples;

  void visit(OptionVisitor& v) {
    v.field("path", path,
            "folder with train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and "
            "t10k-labels-idx1-ubyte, each plain or .gz, or the root of torchvision that has them below it; "
            "needed to "
            "read the data",
            {.existing_path = true});
    v.field("train_prefix", train_prefix,
            "what the names of the training files begin with: \"emnist-letters-train\" for EMNIST's letters");
    v.field("test_prefix", test_prefix,
            "what the names of the test files begin with: \"emnist-letters-test\" for EMNIST's letters");
    v.field("size", size,
            "height and width in pixels; zeros are put around smaller images (32 suits U-Nets, which halve "
            "the size "
            "several times)",
            {.min = 1, .max = 4096});
    v.field("transposed", transposed,
            "the files store columns first, as EMNIST's do; images are turned upright");
    v.field("validation", validation,
            "training images, a fixed random choice, held out as the validation split; 0: train on all, as "
            "published results do",
            {.min = 0});
    v.field("test", test,
            "training images held out in the same way as the test split, for data without test "
            "files; "
            "0: the test files are the test split",
            {.min = 0});
    v.field("num_classes", num_classes, "number of classes: 26 for EMNIST's letters, 47 for its balanced set",
            {.min = 1, .max = 256});
    v.field("first_label", first_label, "the label of the first class in the files: 1 for EMNIST's letters",
            {.min = 0, .max = 255});
    v.field("class_names", class_names, "a name for each class; none: the labels as written in the files");
    v.require(class_names.empty() || static_cast<int64_t>(class_names.size()) == num_classes, "class_names",
              "none or num_classes names", std::to_string(class_names.size()));
    bad_examples.visit(v);
  }
};

/// Throws ConfigError without a path, DataError where the files are missing, damaged or do not fit together.
std::unique_ptr<Dataset> make_mnist(const MnistOptions& options, Split split);

}  // namespace gen
