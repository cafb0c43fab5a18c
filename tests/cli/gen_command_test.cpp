#include "gen_command.h"

#include <cstdlib>
#include <nlohmann/json.hpp>

namespace gen::test {

CommandResult run_gen(const std::vector<std::string>& arguments) {
  std::vector<std::string> argv{gen_binary().string()};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return run_command(argv, {"OMP_NUM_THREADS=1", "NO_COLOR=1"});
}

Json json_of(const std::vector<std::string>& arguments) {
  const auto result = run_gen(arguments);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  const Json document = Json::parse(result.out, nullptr, /*allow_exceptions=*/false);
  EXPECT_FALSE(document.is_discarded()) << result.out;
  return document;
}

void expect_golden(const std::string& name, std::string text, const std::filesystem::path& folder) {
  for (size_t at; (at = text.find(folder.string())) != std::string::npos;)
    text.replace(at, folder.string().size(), "FOLDER");
  const auto file = source_dir() / "tests/cli/golden" / (name + ".txt");
  if (std::getenv("GEN_UPDATE_GOLDEN") != nullptr) write_text(file, text);
  EXPECT_EQ(text, read_text(file)) << file;
}

namespace {

TEST(Gen, VersionAndHelpGoToStdout) {
  const auto version = run_gen({"--version"});
  EXPECT_EQ(version.exit_code, 0);
  EXPECT_TRUE(version.out.starts_with("gen ")) << version.out;
  for (const char* verb : {"train", "sample", "eval", "list", "describe", "check", "inspect", "forward"}) {
    const auto help = run_gen({verb, "--help"});
    EXPECT_EQ(help.exit_code, 0) << verb;
    EXPECT_NE(help.out.find("examples:"), std::string::npos) << verb;
    EXPECT_NE(help.out.find(std::string("usage: gen ") + verb), std::string::npos) << help.out;
    EXPECT_EQ(help.err, "") << verb;
  }
}

TEST(Gen, HelpNamesVerbsArgumentsAndWhatMayBeLeftOut) {
  EXPECT_NE(run_gen({"--help"}).out.find("\nverbs:\n"), std::string::npos);
  const auto help = run_gen({"describe", "--help"}).out;
  EXPECT_NE(help.find("usage: gen describe KIND [TYPE] [FLAGS]"), std::string::npos) << help;
  EXPECT_NE(help.find("\narguments:\n"), std::string::npos) << help;
  EXPECT_NE(help.find("\nflags:\n"), std::string::npos) << help;
}

TEST(Gen, AFullDiskUnderStdoutIsAnIoError) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "needs /dev/full, which is absent";
  const auto result = run_command({"sh", "-c", gen_binary().string() + " list > /dev/full"});
  EXPECT_EQ(result.exit_code, 6) << result.err;
}

}  // namespace
}  // namespace gen::test
