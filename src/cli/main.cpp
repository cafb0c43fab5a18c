// gen VERB [FLAGS]: dispatches to a verb, and turns what it threw into one clear text and an exit code.
#include <c10/util/Exception.h>

#include <cstdlib>
#include <exception>

#include "cli/error_text.h"
#include "cli/results.h"
#include "cli/verb.h"
#include "gen/core/memory.h"
#include "gen/core/parallel.h"
#include "gen/core/signals.h"
#include "gen/core/standard_streams.h"

namespace gen::cli {
namespace {

constexpr const char* kFooter = R"(examples:
  gen train --config configs/vae/shapes.json     train; leaves runs/vae-shapes/
  gen sample --run runs/vae-shapes               draw pictures from it
  gen eval --run runs/vae-shapes                 score it
  gen describe model vae                         the options of one type

gen VERB --help says more. Results go to stdout, logs and progress to stderr.
exit codes: 0 done, 1 failure, 2 usage or config, 3 data, 4 numerical, 5 out of memory, 6 input/output,
            75 stopped by a signal after a checkpoint (run again with --resume), 130 interrupted
)";

ExitCode run(int argc, char** argv) {
  CLI::App app("Generative models from one JSON file.", "gen");
  Action action;
  app.set_version_flag("--version", "gen " GEN_VERSION)->description("print the version");
  add_train(app, action);
  add_sample(app, action);
  add_eval(app, action);
  add_list(app, action);
  add_describe(app, action);
  add_check(app, action);
  add_inspect(app, action);
  add_forward(app, action);
  style_help(app, kFooter);
  app.require_subcommand(1);
  if (!parse_command_line(app, argc, argv)) return ExitCode::ok;
  return action();
}

// An exception that nothing could catch, in a thread of LibTorch say, is told as any other.
[[noreturn]] void on_terminate() {
  const auto error = std::current_exception();
  std::_Exit(static_cast<int>(error ? report(error) : ExitCode::failure));
}

// LibTorch's warnings are written for its developers.
class SilentWarnings final : public c10::WarningHandler {
 public:
  void process(const c10::Warning&) override {}
};

}  // namespace
}  // namespace gen::cli

int main(int argc, char** argv) {
  using gen::ExitCode;
  gen::fill_standard_streams();
  std::set_terminate(gen::cli::on_terminate);
  gen::signals::install();
  gen::keep_freed_memory();
  gen::cli::SilentWarnings silent;
  c10::WarningUtils::set_warning_handler(&silent);
  ExitCode code = ExitCode::failure;
  try {
    gen::need_descriptors();
    gen::use_threads();
    gen::refuse_tensors_beyond_free_memory();
    code = gen::cli::run(argc, argv);
  } catch (...) {
    code = gen::cli::report(std::current_exception());
  }
  return static_cast<int>(gen::cli::results::flush(code));
}
