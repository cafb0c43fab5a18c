// What an experiment's sections name, built and held against each other before anything is trained.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "gen/data/dataset.h"
#include "gen/models/model.h"
#include "gen/train/experiment.h"

namespace gen {

struct Parts {
  std::shared_ptr<const Dataset> data;
  std::shared_ptr<const Dataset> validation;  ///< null where nothing was held out for it
  std::unique_ptr<Model> model;               ///< on the device; its initial weights depend on the seed alone
  std::vector<std::string> warnings;          ///< what will be as the config says, but hardly as it is meant
};

/// Opens the data, builds the model, and asks it whether it can answer eval.metrics and draw as the section `sample` says.
/// Throws OptionError with everything in which the sections disagree, each with the file and the JSON pointer of the option to change:
/// `gen check`, `gen train --dry-run` and `gen train` all tell it before the first step. Throws DataError where the data
/// cannot be read, OutOfMemoryError where the model or a batch cannot fit in the memory that is free.
Parts build_parts(const ExperimentOptions& experiment, at::Device device);

/// Throws OptionError where `model` cannot draw as the section `sample` says.
void check_sampling(const Model& model, const ExperimentOptions& experiment);

/// Does `work`; of an OptionError that it throws the mistakes come in the order of the config's sections, each with the file
/// or the flag that it stands in (ExperimentOptions::where).
void name_mistakes(const ExperimentOptions& experiment, const std::function<void()>& work);

/// The type that the network of an iterative model computes samples in.
at::ScalarType sampling_dtype(const SampleOptions& options);

}  // namespace gen
