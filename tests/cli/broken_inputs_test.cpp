// Files that were cut short, edited, forged or built to cost memory: each is refused within the bounds of a small
// machine, in words of gen's own, with the exit code of its kind.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "gen_command.h"
#include "support/data_files.h"
#include "support/toy_config.h"

namespace gen::test {
namespace {

namespace fs = std::filesystem;

struct Told {
  int exit_code;
  std::string text;
};

// Runs gen with the given limits of the shell, as "ulimit -n 7".
Told gen_within(const std::string& limits, std::vector<std::string> arguments) {
  std::vector<std::string> argv{"bash", "-c", limits + "; exec \"$0\" \"$@\"", gen_binary().string()};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  const auto result = run_command(argv, {"OMP_NUM_THREADS=1", "NO_COLOR=1"});
  return {result.exit_code, result.out + result.err};
}

// 2 GB of address space hold the program and its libraries; 5 s of processor time are ten times what it needs.
Told gen_on_a_small_machine(const std::vector<std::string>& arguments) {
  return gen_within("ulimit -v 2500000; ulimit -t 5", arguments);
}

std::string nested(size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

TEST(BrokenInputs, JsonOfAnyDepthIsRefused) {
  const TempDir folder;
  write_text(folder / "deep.json", nested(1'000'000));
  for (const auto& flags : {std::vector<std::string>{}, {"--json"}}) {
    std::vector<std::string> arguments{"inspect", (folder / "deep.json").string()};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    const auto told = gen_on_a_small_machine(arguments);
    EXPECT_EQ(told.exit_code, 3);
    EXPECT_NE(told.text.find("deep.json: nested deeper than 64 levels"), std::string::npos) << told.text;
  }
  EXPECT_EQ(gen_on_a_small_machine({"check", "--config", folder / "deep.json"}).exit_code, 2);
  fs::create_directories(folder / "network");
  write_text(folder / "network/config.json", "{\"a\":" + nested(500'000) + "}");
  EXPECT_EQ(gen_on_a_small_machine({"sample", "--run", folder / "network"}).exit_code, 2);
  fs::create_directories(folder / "step_00000001");
  write_text(folder / "step_00000001/manifest.json",
             "{\"format\":" + nested(1'000'000) + ",\"step\":1,\"files\":{\"state.json\":{}}}");
  EXPECT_EQ(gen_on_a_small_machine({"inspect", folder / "step_00000001"}).exit_code, 3);
}

TEST(BrokenInputs, JsonOfAnyNumberOfKeysIsReadInLinearTime) {
  const TempDir folder;
  std::string text = "{";
  for (int i = 0; i < 200'000; ++i) text += fmt::format("\"k{}\":1,", i);
  write_text(folder / "keys.json", text + "\"end\":1}");
  EXPECT_EQ(gen_on_a_small_machine({"inspect", folder / "keys.json"}).exit_code, 0);
  const auto told = gen_on_a_small_machine({"check", "--config", folder / "keys.json"});
  EXPECT_EQ(told.exit_code, 2);
  EXPECT_LT(told.text.size(), 100'000U) << "a line a key";
}

TEST(BrokenInputs, DevicesAndPipesWithoutEndAreReadToTheBoundOnly) {
  const auto told = gen_on_a_small_machine({"check", "--config", "/dev/zero"});
  EXPECT_EQ(told.exit_code, 2);
  EXPECT_NE(told.text.find("/dev/zero: expected a config of at most"), std::string::npos) << told.text;
  EXPECT_NE(gen_on_a_small_machine({"inspect", "/dev/zero"}).exit_code, 0);
}

TEST(BrokenInputs, ATableIsNotPaddedToANameOfMegabytes) {
  const TempDir folder;
  const std::string header =
      Json({{"__metadata__", {{std::string(3'000'000, 'k'), std::string(3'000'000, 'v')}, {"a", "b"}}}})
          .dump();
  std::string size;
  for (size_t i = 0; i < 8; ++i) size += static_cast<char>(header.size() >> (8 * i) & 0xff);
  write_text(folder / "m.safetensors", size + header);
  const auto told = gen_on_a_small_machine({"inspect", folder / "m.safetensors"});
  EXPECT_EQ(told.exit_code, 0);
  EXPECT_LT(told.text.size(), 10'000U);
}

TEST(BrokenInputs, ValuesOfAnotherTypeAreToldByFileAndField) {
  const TempDir folder;
  write_text(folder / "c.json", kToyConfig);
  const std::string run = folder / "run", config = folder / "c.json";
  ASSERT_EQ(run_gen({"train", "--config", config, "--run-dir", run, "--quiet"}).exit_code, 0);
  const std::string record = read_text(fs::path(run) / "run.json");
  for (const char* text : {"[]", "{}", "5", R"({"data": 1, "starts": 1})", R"({"data": {"kind": 3}})",
                           R"({"data": {"kind": "points", "shape": ["x"], "num_classes": 0}})",
                           R"({"data": {"kind": "points", "shape": [4611686018427387904], "num_classes": 0,
                              "class_names": [], "levels": 0, "captions": false}})"}) {
    write_text(fs::path(run) / "run.json", text);
    for (const auto& arguments :
         std::vector<std::vector<std::string>>{{"sample", "--run", run, "--quiet"},
                                               {"eval", "--run", run, "--quiet"},
                                               {"train", "--config", config, "--run-dir", run, "--resume",
                                                "--quiet", "--set", "train.steps=2"}}) {
      const auto told = gen_on_a_small_machine(arguments);
      EXPECT_TRUE(told.exit_code == 3 || told.exit_code == 2) << arguments[0] << " " << text << "\n"
                                                              << told.text;
      EXPECT_NE(told.text.find("run.json"), std::string::npos) << arguments[0] << " " << text << "\n"
                                                               << told.text;
    }
    EXPECT_EQ(gen_on_a_small_machine({"inspect", run}).exit_code, 0) << text;
  }
  write_text(fs::path(run) / "run.json", record);
  write_text(fs::path(run) / "metrics.jsonl", nested(500'000) + "\n");
  EXPECT_EQ(gen_on_a_small_machine({"inspect", run, "--json"}).exit_code, 0);
}

TEST(BrokenInputs, JsonThatOnlyLooksLikeGensIsShownAsItIs) {
  const TempDir folder;
  for (const char* text : {R"([{"bytes": "x", "numbers": "y"}])", R"([{"a": 1}, 5, []])", R"([])",
                           R"({"numbers": 1.5})", R"({"model": 5})", "5", "\"x\""}) {
    write_text(folder / "x.json", text);
    const auto told = gen_on_a_small_machine({"inspect", folder / "x.json"});
    EXPECT_TRUE(told.exit_code == 0 || told.exit_code == 2) << text << "\n" << told.text;
  }
  write_text(folder / "x.json", R"({"a": 1e999})");
  EXPECT_NE(
      gen_on_a_small_machine({"check", "--config", folder / "x.json"}).text.find("does not fit a double"),
      std::string::npos);
}

// LibTorch's libraries take some 400 MB of addresses before main() begins; some fail on the way, each in its own words.
TEST(BrokenInputs, TooLittleMemoryIsToldAsSuchWhereverItRunsOut) {
  for (const int kibibytes : {385'000, 400'000, 415'000, 430'000, 450'000}) {
    const auto told = gen_within(fmt::format("ulimit -v {}", kibibytes), {"list"});
    if (told.exit_code == 127) continue;  // the loader, before any program
    EXPECT_TRUE(told.exit_code == 0 || told.exit_code == 5)
        << kibibytes << ": " << told.exit_code << told.text;
    if (told.exit_code == 5) EXPECT_NE(told.text.find("out of memory"), std::string::npos) << told.text;
  }
}

TEST(BrokenInputs, TooManyOpenFilesAreToldAsSuch) {
  const TempDir folder;
  write_text(
      folder / "c.json",
      R"({"model": {"type": "vae", "likelihood": {"type": "gaussian"}}, "data": {"type": "toy2d"}, "train": {"steps": 1}})");
  for (const int limit : {4, 5, 6, 7}) {
    const auto told =
        gen_within(fmt::format("ulimit -n {}", limit), {"train", "--config", folder / "c.json", "--quiet",
                                                        "--run-dir", folder / fmt::format("run-{}", limit)});
    EXPECT_EQ(told.text.find("permission"), std::string::npos) << told.text;
    if (told.exit_code == 0) continue;
    EXPECT_EQ(told.exit_code, 6) << told.text;
    EXPECT_NE(told.text.find("Too many open files"), std::string::npos) << told.text;
  }
}

}  // namespace
}  // namespace gen::test
