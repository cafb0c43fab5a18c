// The cifar10 data set: CIFAR-10 in its binary version (Krizhevsky 2009).
#pragma once

#include "gen/config/options.h"
#include "gen/data/dataset.h"

namespace gen {

struct Cifar10Options {
  std::string path;
  int64_t validation = 0;
  bool random_flip = false;
  BadExampleOptions bad_examples;

  void visit(OptionVisitor& v) {
    v.field("path", path,
            "folder with data_batch_1.bin ... data_batch_5.bin and test_batch.bin (\"CIFAR-10 binary "
            "version\"), or "
            "the folder above it; needed to read the data",
            {.existing_path = true});
    v.field("validation", validation,
            "training images, a fixed random choice, held out as the validation split; 0: train on all",
            {.min = 0});
    v.field("random_flip", random_flip,
            "mirror training images at random, as diffusion models on CIFAR-10 do; leave off to compare "
            "likelihoods");
    bad_examples.visit(v);
  }
};

/// Throws ConfigError without a path, DataError where a file is missing, not whole records, or mislabelled.
std::unique_ptr<Dataset> make_cifar10(const Cifar10Options& options, Split split);

}  // namespace gen
