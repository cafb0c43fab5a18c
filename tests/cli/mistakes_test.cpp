// What gen says to mistakes: the whole text, and the exit code.
#include "gen_command.h"

namespace gen::test {
namespace {

// The text on stderr of a command that must fail with `code` and say nothing on stdout.
std::string error_of(const std::vector<std::string>& arguments, int code) {
  const auto result = run_gen(arguments);
  EXPECT_EQ(result.exit_code, code) << result.err;
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(result.err.find("frame #"), std::string::npos) << "a stack trace";
  return result.err;
}

TEST(Mistakes, EveryMistakeOfAConfigIsToldAtOnce) {
  const TempDir folder;
  write_text(folder / "bad.json", R"({
  // six mistakes
  "seed": 3.7,
  "device": 1,
  "model": {"type": "vae", "latent_dim": "64", "betta": 2},
  "data": {"type": "shaps"},
  "train": {"steps": 0}
})");
  const auto text = error_of({"check", "--config", folder / "bad.json"}, 2);
  expect_golden("six_mistakes", text, folder.path());
}

TEST(Mistakes, AKeyGivenTwiceIsToldWithTheOthers) {
  const TempDir folder;
  write_text(
      folder / "config.json",
      R"({"model": {"type": "vae", "betta": 2}, "data": {"type": "shapes"}, "train": {"steps": 1, "steps": 2}})");
  const auto text = error_of({"check", "--config", folder / "config.json"}, 2);
  EXPECT_NE(text.find("/train/steps: the key is given twice (keep one)"), std::string::npos) << text;
  EXPECT_NE(text.find("/model/betta: unknown key (did you mean \"beta\"?)"), std::string::npos) << text;
}

TEST(Mistakes, AKeyOfAnotherFamilyIsRefused) {
  const TempDir folder;
  write_text(folder / "config.json",
             R"({"model": {"type": "flow", "latent_dim": 8}, "data": {"type": "toy2d"}})");
  expect_golden("key_of_another_family", error_of({"check", "--config", folder / "config.json"}, 2),
                folder.path());
}

TEST(Mistakes, AMissingFileIsNamed) {
  const TempDir folder;
  expect_golden("missing_file", error_of({"train", "--config", folder / "none.json"}, 2), folder.path());
}

TEST(Mistakes, ASyntaxErrorHasLineAndColumn) {
  const TempDir folder;
  write_text(folder / "torn.json", "{\n  \"model\": {\"type\": \"vae\",}\n}");
  expect_golden("syntax_error", error_of({"check", "--config", folder / "torn.json"}, 2), folder.path());
}

TEST(Mistakes, AnUnknownTypeNamesTheNearest) {
  const TempDir folder;
  write_text(folder / "config.json", R"({"model": {"type": "va"}, "data": {"type": "shapes"}})");
  expect_golden("unknown_type", error_of({"check", "--config", folder / "config.json"}, 2), folder.path());
  expect_golden("describe_unknown_type", error_of({"describe", "model", "difusion"}, 2), folder.path());
  expect_golden("describe_unknown_kind", error_of({"describe", "modle"}, 2), folder.path());
}

TEST(Mistakes, WrongFlagsAndVerbsNameTheNearest) {
  const TempDir folder;
  expect_golden("no_verb", error_of({}, 2), folder.path());
  expect_golden("wrong_verb", error_of({"trian"}, 2), folder.path());
  expect_golden("wrong_flag", error_of({"train", "--confg", "x.json"}, 2), folder.path());
  expect_golden("missing_flag", error_of({"sample"}, 2), folder.path());
  expect_golden("flag_without_value", error_of({"sample", "--run"}, 2), folder.path());
  expect_golden("flag_of_wrong_type", error_of({"sample", "--run", "x", "--count", "many"}, 2),
                folder.path());
  expect_golden("wrong_format", error_of({"sample", "--run", "x", "--format", "gif"}, 2), folder.path());
}

TEST(Mistakes, ASeedBeyond63BitsIsTooLargeRatherThanNegative) {
  const auto says = error_of({"sample", "--run", "x", "--seed", "9223372036854775808"}, 2);
  EXPECT_NE(says.find("at most 9223372036854775807"), std::string::npos) << says;
  const TempDir folder;
  write_text(folder / "config.json",
             R"({"model": {"type": "vae"}, "data": {"type": "toy2d"}, "seed": 9223372036854775808})");
  const auto of_config = error_of({"check", "--config", folder / "config.json"}, 2);
  EXPECT_NE(of_config.find("(integers go up to 9223372036854775807)"), std::string::npos) << of_config;
}

TEST(Mistakes, ABadSetIsNamed) {
  const TempDir folder;
  write_text(folder / "config.json", R"({"model": {"type": "vae"}, "data": {"type": "toy2d"}})");
  expect_golden("bad_set",
                error_of({"check", "--config", folder / "config.json", "--set", "train.steps=many", "--set",
                          "train.step=10", "--set", "nothing"},
                         2),
                folder.path());
}

TEST(Mistakes, AFolderThatIsNoRunIsToldSo) {
  const TempDir folder;
  std::filesystem::create_directory(folder / "vae-shapes");
  write_text(folder / "vae-shapes" / "config.json", "{}");
  expect_golden("no_run", error_of({"sample", "--run", folder / "vae-shaps"}, 2), folder.path());
}

TEST(Mistakes, MemoryThatRunsOutIsExit5) {
  const TempDir folder;
  write_text(folder / "config.json", R"({
  "model": {"type": "vae", "encoder": {"type": "mlp", "hidden_sizes": [65536, 65536]}, "likelihood": {"type": "gaussian"}},
  "data": {"type": "toy2d"}
})");
  // 16 GiB of weights under a limit of 8 GiB of address space.
  const auto result =
      run_command({"sh", "-c", "ulimit -v 8388608; exec \"$0\" train --dry-run --config \"$1\"",
                   gen_binary().string(), (folder / "config.json").string()});
  EXPECT_EQ(result.exit_code, 5) << result.err;
  EXPECT_NE(result.err.find("error: out of memory"), std::string::npos) << result.err;
}

TEST(Mistakes, AFolderThatCannotBeMadeIsExit6) {
  const TempDir folder;
  write_text(folder / "config.json", R"({"model": {"type": "vae"}, "data": {"type": "toy2d"}})");
  error_of({"train", "--config", folder / "config.json", "--run-dir", "/proc/none/run"}, 6);
}

TEST(Mistakes, ATornDataFileIsExit3) {
  const TempDir folder;
  write_text(folder / "train-images-idx3-ubyte", std::string("\0\0\x08\x03\0\0\0\x09", 8));
  write_text(folder / "train-labels-idx1-ubyte", std::string("\0\0\x08\x01\0\0\0\x09", 8));
  write_text(folder / "t10k-images-idx3-ubyte", std::string("\0\0\x08\x03\0\0\0\x09", 8));
  write_text(folder / "t10k-labels-idx1-ubyte", std::string("\0\0\x08\x01\0\0\0\x09", 8));
  write_text(folder / "config.json", R"({"model": {"type": "vae"}, "data": {"type": "mnist"}})");
  const auto text = error_of(
      {"check", "--config", folder / "config.json", "--set", "data.path=" + folder.path().string()}, 3);
  EXPECT_NE(text.find("idx"), std::string::npos) << text;
}

}  // namespace
}  // namespace gen::test
