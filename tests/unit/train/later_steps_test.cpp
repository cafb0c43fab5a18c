#include "train/later_steps.h"

#include <gtest/gtest.h>

#include <sstream>

#include "gen/core/log.h"
#include "gen/io/image.h"
#include "support/support.h"

namespace gen {
namespace {

TEST(LaterSteps, OfTheLogAndThePicturesAreForgottenAndNothingElse) {
  const test::TempDir temp;
  const RunDir run = RunDir::open_for_training(temp / "run", RunMode::create);
  log::set_level(log::Level::off);
  log::open_file(run.log().string());
  for (const char* line :
       {"line: 3 parameters", "step 9/20  loss 1", "step 10/20  loss 1", "step 10: validation loss 2",
        "step 11/20  loss 1", "step 12: validation loss 2", "stepwise: step 13 of 20"})
    log::info("{}", line);
  log::warning("step 12: the loss is nan; rolling back");
  const Image dot{1, 1, 1, {0}};
  const auto picture = [&](const char* name) { return run.samples() / name; };
  for (const char* made : {"step_00000010.png", "step_00000012.png"}) run.claim(picture(made));
  write_png(picture("step_00000010.png"), dot, {{"step", "10"}, {"config_hash", "ab"}});
  write_png(picture("step_00000012.png"), dot, {{"step", "12"}, {"config_hash", "ab"}});
  write_png(picture("step_00000013.png"), dot);  // not of this training
  write_png(picture("00014.png"), dot, {{"step", "14"}, {"config_hash", "ab"}});

  forget_later_steps(run, 10);
  log::info("resumed at step 10");
  log::info("step 11/20  loss 1");
  log::close_file();
  log::set_level(log::Level::info);

  std::string lines;
  std::istringstream text(test::read_text(run.log()));
  for (std::string line; std::getline(text, line);) lines += line.substr(line.find(' ') + 1) + "\n";
  EXPECT_EQ(
      lines,
      "info line: 3 parameters\ninfo step 9/20  loss 1\ninfo step 10/20  loss 1\n"
      "info step 10: validation loss 2\ninfo stepwise: step 13 of 20\n"
      "warning step 12: the loss is nan; rolling back\ninfo resumed at step 10\ninfo step 11/20  loss 1\n");
  EXPECT_TRUE(std::filesystem::exists(picture("step_00000010.png")));
  EXPECT_FALSE(std::filesystem::exists(picture("step_00000012.png")));
  EXPECT_TRUE(std::filesystem::exists(picture("step_00000013.png")));
  EXPECT_TRUE(std::filesystem::exists(picture("00014.png")));
}

}  // namespace
}  // namespace gen
