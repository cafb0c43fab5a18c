// Names, keys, values and labels that strangers chose: no byte of them acts on the terminal, and the commands that
// gen suggests can be pasted.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "gen/io/image.h"
#include "gen_command.h"
#include "support/data_files.h"
#include "support/toy_config.h"

namespace gen::test {
namespace {

namespace fs = std::filesystem;

// Writes the clipboard, then turns the text red; a C1 control and an override of direction besides.
const std::string kAttack = "\x1b]52;c;ZXZpbA==\x07\x1b[31m\u009b1m\u202e";

void write_header(const fs::path& path, const Json& header) {
  const std::string text = header.dump();
  std::string size;
  for (size_t i = 0; i < 8; ++i) size += static_cast<char>(text.size() >> (8 * i) & 0xff);
  write_text(path, size + text);
}

// What reaches the terminal: nothing in it may act on one.
std::string tame_output(const std::vector<std::string>& arguments) {
  const auto result = run_gen(arguments);
  const std::string text = result.out + result.err;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    EXPECT_TRUE(byte == '\n' || (byte >= 0x20 && byte != 0x7f))
        << "byte " << int{byte} << " of " << arguments[0];
  }
  for (const char* hidden : {"\u009b", "\u202e"})
    EXPECT_EQ(text.find(hidden), std::string::npos) << arguments[0];
  return text;
}

TEST(UntrustedText, OfASafetensorsFileIsEscapedInTextAndJson) {
  const TempDir folder;
  write_header(folder / "a.safetensors",
               {{"__metadata__", {{kAttack + "k", kAttack}}},
                {kAttack + "w", {{"dtype", "F32"}, {"shape", {0}}, {"data_offsets", {0, 0}}}}});
  EXPECT_NE(tame_output({"inspect", folder / "a.safetensors"}).find("\\u001b]52;c;"), std::string::npos);
  const Json told = Json::parse(tame_output({"inspect", folder / "a.safetensors", "--json"}), nullptr, false);
  EXPECT_EQ(told["tensors"][0]["name"], kAttack + "w") << "escaped, not changed";
  write_header(folder / "b.safetensors",
               {{kAttack + "w", {{"dtype", "X" + kAttack}, {"shape", {0}}, {"data_offsets", {0, 0}}}}});
  EXPECT_NE(tame_output({"inspect", folder / "b.safetensors"}).find("expected a dtype of"),
            std::string::npos);
}

TEST(UntrustedText, OfAConfigAndItsOverridesIsEscaped) {
  const TempDir folder;
  write_text(folder / "c.json", Json({{kAttack + "\n", 1}}).dump());
  EXPECT_NE(tame_output({"check", "--config", folder / "c.json"}).find("unknown key"), std::string::npos);
  tame_output({"check", "--config", folder / "c.json", "--set", kAttack + "=1"});
  tame_output({"inspect", folder / "c.json"});
  tame_output({"inspect", folder / "c.json", "--json"});
  tame_output({"sample", "--run", (folder / kAttack).string()});
  tame_output({kAttack});
  tame_output({"sample", "--" + kAttack});
}

TEST(UntrustedText, OfClassFoldersIsEscaped) {
  const TempDir folder;
  for (const std::string& name : {kAttack, std::string("b")}) {
    fs::create_directories(folder.path() / "i" / name);
    write_text(folder.path() / "i" / name / "x.png", encode_png({8, 8, 1, std::vector<uint8_t>(64)}));
  }
  write_text(folder / "c.json", Json({{"model", {{"type", "vae"}, {"latent_dim", 2}}},
                                      {"data",
                                       {{"type", "image_folder"},
                                        {"path", (folder / "i").string()},
                                        {"size", 8},
                                        {"validation_fraction", 0},
                                        {"test_fraction", 0}}}})
                                    .dump());
  EXPECT_NE(tame_output({"check", "--config", folder / "c.json"}).find("2 classes (\\u001b"),
            std::string::npos);
}

TEST(UntrustedText, LineBreaksInNamesAreRefused) {
  const TempDir folder;
  const auto flag = run_gen({"train", "--config", "x.json", "--run-dir", "a\ndone at step 5: b"});
  EXPECT_EQ(flag.exit_code, 2);
  EXPECT_EQ(
      flag.err,
      "error: gen train: --run-dir: expected a text without line breaks, got \"a\\ndone at step 5: b\"\n");
  write_text(folder / "c.json", R"({"name": "a\nb", "model": {"type": "vae"}, "data": {"type": "toy2d"}})");
  const auto name = run_gen({"check", "--config", folder / "c.json"});
  EXPECT_EQ(name.exit_code, 2);
  EXPECT_NE(name.err.find("/name: expected text without control characters, got \"a\\nb\""),
            std::string::npos)
      << name.err;
  write_text(folder / "e.json", R"({"extends": "x\nerror: y"})");
  EXPECT_EQ(run_gen({"check", "--config", folder / "e.json"}).err.find("\nerror: y"), std::string::npos);
}

// The status and log of a run, and the lines that it suggests.
TEST(UntrustedText, OfARunIsEscapedAndItsNextLineCanBePasted) {
  const TempDir folder;
  write_text(folder / "c.json", kToyConfig);
  const std::string run = (folder / "my run's $(touch pwned)\x1b[31m").string();
  const auto text = tame_output({"train", "--config", folder / "c.json", "--run-dir", run});
  const size_t at = text.find("  gen sample --run ");
  ASSERT_NE(at, std::string::npos) << text;
  const std::string next = text.substr(at + 6, text.find('\n', at) - at - 6);
  const auto pasted = run_command(
      {"bash", "-c",
       fmt::format("cd {} && {} {} --count 1", folder.path().string(), gen_binary().string(), next)},
      {"OMP_NUM_THREADS=1"});
  EXPECT_EQ(pasted.exit_code, 0) << next << "\n" << pasted.err;
  EXPECT_FALSE(fs::exists(folder / "pwned"));
  EXPECT_EQ(read_text(fs::path(run) / "train.log").find('\x1b'), std::string::npos);
  write_text(fs::path(run) / "STATUS", "\033]0;x\a\xff\n");
  EXPECT_NE(tame_output({"inspect", run}).find("\\u001b]0;x\\u0007\\xff"), std::string::npos);
  EXPECT_FALSE(Json::parse(tame_output({"inspect", run, "--json"}), nullptr, false).is_discarded());
}

}  // namespace
}  // namespace gen::test
