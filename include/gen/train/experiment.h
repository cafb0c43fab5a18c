// The whole config: name, seed, device, model, data, train, sample, eval.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gen/config/load.h"
#include "gen/config/options.h"

namespace gen {

struct EmaOptions {
  std::optional<double> decay;              ///< constant, with warm-up min(decay, (1 + n) / (10 + n))
  std::optional<double> half_life_samples;  ///< Karras et al. 2022: decay = 0.5^(batch / half_life)
  bool enabled() const { return decay.has_value() || half_life_samples.has_value(); }
  void visit(OptionVisitor& v);
};

enum class Precision { fp32, bf16, fp16 };
enum class NanPolicy { error, skip, rollback };

struct EarlyStopOptions {
  int64_t patience = 0;  ///< validations without improvement before stopping; 0: never
  double min_delta = 0;
  void visit(OptionVisitor& v);
};

struct TrainOptions {
  int64_t steps = 10000;
  int64_t batch_size = 64;
  int64_t gradient_accumulation = 1;
  Component optimizer{"adamw"};
  Component lr_schedule{"constant"};
  double clip_grad_norm = 0;  ///< 0: no clipping
  EmaOptions ema;
  Precision precision = Precision::fp32;
  NanPolicy nan_policy = NanPolicy::error;
  int64_t nan_budget = 10;  ///< non-finite steps that `skip` and `rollback` allow
  int64_t checkpoint_every = 1000;
  int64_t keep_last = 2;
  int64_t log_every = 50;
  int64_t validate_every = 0;  ///< 0: only at the end, where there is a validation split
  int64_t validation_batches = 8;
  int64_t sample_every = 0;  ///< 0: only at the end
  int64_t sample_count = 64;
  EarlyStopOptions early_stop;
  int64_t data_workers = 1;
  int64_t threads = 0;  ///< 0: all cores
  bool shuffle = true;
  void visit(OptionVisitor& v);
};

struct SampleOptions {
  int64_t count = 64;
  int64_t batch_size = 64;
  Component sampler;  ///< absent: the model's default
  double temperature = 1.0;
  Precision precision = Precision::fp32;  ///< of the network of an iterative model: fp32 or bf16
  void visit(OptionVisitor& v);
};

struct EvalOptions {
  std::vector<Component> metrics;  ///< empty: every metric that the model can answer
  std::string split = "test";
  int64_t batch_size = 100;
  int64_t limit = 0;  ///< examples; 0: all
  void visit(OptionVisitor& v);
};

/// The config's documents, and the flags that put values over them.
struct ExperimentSources;

struct ExperimentOptions {
  std::string name;  ///< empty: <model type>-<config file's stem>, or -<data type> of a config from a pipe
  int64_t seed = 0;
  std::string device = "auto";
  Component model;
  Component data{"shapes"};
  TrainOptions train;
  SampleOptions sample;
  EvalOptions eval;
  void visit(OptionVisitor& v);

  /// Where the value at a JSON pointer was written, for errors: "c.json: /train/steps", "--set train.steps: /train/steps",
  /// "gen sample: --count". The pointer alone where these options were not read from a file.
  std::string where(const std::string& pointer) const;
  std::shared_ptr<const ExperimentSources> sources;  ///< null where they were not read
};

/// A value that the command line puts over the config's.
struct Setting {
  std::string assignment;  ///< "train.steps=5"
  std::string flag;        ///< what the user typed for it, "gen sample: --count"; empty: --set
  Setting(std::string set) : assignment(std::move(set)) {}
  Setting(std::string set, std::string typed) : assignment(std::move(set)), flag(std::move(typed)) {}
};

/// Reads, extends, sets, checks; throws ConfigError with every mistake. Fills `name` where it is empty. `config` may
/// be a pipe, or "-".
ExperimentOptions load_experiment(const std::filesystem::path& config, const std::vector<Setting>& sets,
                                  const LoadPolicy& policy = {});

}  // namespace gen
