#include "gen/io/safetensors.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>

#include "damage.h"
#include "gen/core/error.h"
#include "support/support.h"

namespace gen {
namespace {

using test::read_text;
using test::write_text;

std::string file_of(const std::string& header, const std::string& data) {
  std::string bytes;
  for (size_t i = 0; i < 8; ++i) bytes.push_back(static_cast<char>(uint64_t{header.size()} >> (8 * i)));
  return bytes + header + data;
}

class Safetensors : public ::testing::Test {
 protected:
  // The error of reading such a file; "" when it is accepted.
  std::string refusal(const std::string& bytes) {
    const auto path = folder / "x.safetensors";
    write_text(path, bytes);
    try {
      read_safetensors(path);
      return "";
    } catch (const DataError& error) {
      return error.what();
    }
  }
  std::string refusal(const std::string& header, const std::string& data) {
    return refusal(file_of(header, data));
  }
  test::TempDir folder;
};

TensorMap every_dtype() {
  TensorMap tensors;
  const auto base = torch::arange(-3, 9).view({3, 4});
  for (auto dtype : {at::kDouble, at::kFloat, at::kHalf, at::kBFloat16, at::kLong, at::kInt, at::kShort,
                     at::kChar, at::kComplexFloat, at::kFloat8_e4m3fn, at::kFloat8_e5m2})
    tensors.emplace(c10::toString(dtype), base.to(dtype));
  for (auto dtype : {at::kByte, at::kUInt16, at::kUInt32, at::kUInt64})
    tensors.emplace(c10::toString(dtype), base.abs().to(dtype));
  tensors.emplace("bool", base > 0);
  tensors.emplace("scalar", torch::tensor(2.5));
  tensors.emplace("none", torch::empty({0, 3}));
  return tensors;
}

TEST_F(Safetensors, EveryDtypeComesBack) {
  const auto tensors = every_dtype();
  write_safetensors(folder / "a.safetensors", tensors, {{"who", "\"me\" \xC3\xA9"}});
  Metadata metadata;
  const auto back = read_safetensors(folder / "a.safetensors", &metadata);
  EXPECT_EQ(metadata, (Metadata{{"who", "\"me\" \xC3\xA9"}}));
  ASSERT_EQ(back.size(), tensors.size());
  for (const auto& [name, tensor] : tensors) {
    const auto& other = back.at(name);
    EXPECT_EQ(other.scalar_type(), tensor.scalar_type()) << name;
    EXPECT_EQ(other.sizes(), tensor.sizes()) << name;
    if (tensor.numel() > 0) {  // an empty tensor has no address to compare at
      EXPECT_EQ(std::memcmp(other.const_data_ptr(), tensor.const_data_ptr(), tensor.nbytes()), 0) << name;
    }
  }
}

TEST_F(Safetensors, StridesAreWrittenAsSeen) {
  const auto x = torch::arange(6).view({2, 3}).t();
  write_safetensors(folder / "a.safetensors", {{"x", x}, {"y", x.slice(0, 1, 3)}});
  const auto back = read_safetensors(folder / "a.safetensors");
  EXPECT_TRUE(torch::equal(back.at("x"), x));
  EXPECT_TRUE(torch::equal(back.at("y"), x.slice(0, 1, 3)));
}

TEST_F(Safetensors, ReadsWhatTheReferenceLibraryWrote) {
  Metadata metadata;
  const auto tensors =
      read_safetensors(test::source_dir() / "tests/golden/safetensors/reference.safetensors", &metadata);
  EXPECT_EQ(metadata, (Metadata{{"format", "pt"}}));
  EXPECT_TRUE(torch::equal(tensors.at("weight"), torch::arange(6, at::kFloat).view({2, 3}) / 4));
  EXPECT_TRUE(torch::equal(tensors.at("half"), torch::tensor({1.5, -2.0}).to(at::kHalf)));
  EXPECT_TRUE(torch::equal(tensors.at("bf"), torch::tensor({3.0}).to(at::kBFloat16)));
  EXPECT_TRUE(torch::equal(tensors.at("steps"), torch::tensor({-1L, 1L << 40})));
  EXPECT_TRUE(torch::equal(tensors.at("mask"), torch::tensor({true, false, true})));
  EXPECT_EQ(tensors.at("empty").sizes(), (std::vector<int64_t>{0, 4}));
  EXPECT_EQ(tensors.at("scalar").item<double>(), 0.5);
}

TEST_F(Safetensors, WritesTheReferenceLibrarysBytes) {
  const auto golden = test::source_dir() / "tests/golden/safetensors/reference.safetensors";
  Metadata metadata;
  const auto tensors = read_safetensors(golden, &metadata);
  write_safetensors(folder / "a.safetensors", tensors, metadata);
  EXPECT_EQ(read_text(folder / "a.safetensors"), read_text(golden));
}

TEST_F(Safetensors, TheReferenceLibraryReadsOurs) {
  const char* python = std::getenv("GEN_PEERS_PYTHON");
  if (python == nullptr) GTEST_SKIP() << "needs $GEN_PEERS_PYTHON, which is absent";
  write_safetensors(folder / "a.safetensors", every_dtype(), {{"k", "v"}});
  const auto result =
      test::run_command({python, (test::source_dir() / "tests/golden/safetensors/check.py").string(),
                         (folder / "a.safetensors").string()});
  EXPECT_EQ(result.exit_code, 0) << result.err;
}

TEST_F(Safetensors, RefusesWhatIsCutShort) {
  EXPECT_NE(refusal("").find("at least 8 bytes"), std::string::npos);
  EXPECT_NE(refusal("1234567").find("at least 8 bytes"), std::string::npos);
  EXPECT_NE(refusal(std::string("\x09\0\0\0\0\0\0\0{}", 10)).find("cut short"), std::string::npos);
  EXPECT_NE(refusal(R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}})", "ab").find("cut short"),
            std::string::npos);
}

TEST_F(Safetensors, RefusesAnOversizedHeader) {
  std::string bytes("\x01\xe1\xf5\x05\0\0\0\0{}", 10);  // 100,000,001
  EXPECT_NE(refusal(bytes).find("beyond the limit"), std::string::npos);
  EXPECT_NE(refusal(std::string("\xff\xff\xff\xff\xff\xff\xff\xff{}", 10)).find("beyond the limit"),
            std::string::npos);
}

TEST_F(Safetensors, AcceptsNoTensors) {
  EXPECT_EQ(refusal("{}", ""), "");
  EXPECT_EQ(refusal(R"({"__metadata__":{}}   )", ""), "");
}

TEST_F(Safetensors, RefusesMalformedHeaders) {
  const struct {
    const char *header, *data, *says;
  } cases[] = {
      {"", "", "does not begin with {"},
      {"[]", "", "does not begin with {"},
      {" {}", "", "does not begin with {"},
      {"{", "", "not valid JSON"},
      {"{} x", "", "not valid JSON"},
      {"{\"\xff\":1}", "", "not valid JSON"},
      {R"({"a":1})", "", "expected an object with dtype"},
      {R"({"a":[]})", "", "expected an object with dtype"},
      {R"({"a":{}})", "", "expected \"dtype\""},
      {R"({"a":{"dtype":"U8","shape":[1]}})", "a", "expected \"dtype\""},
      {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0]}})", "a", "two \"data_offsets\""},
      {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1,1]}})", "a", "more than 2"},
      {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"x":1}})", "a", "unknown key \"x\""},
      {R"({"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}})", "a", "given twice"},
      {R"({"a":{"dtype":"U9","shape":[1],"data_offsets":[0,1]}})", "a", "expected a dtype of"},
      {R"({"a":{"dtype":7,"shape":[1],"data_offsets":[0,1]}})", "a", "expected a string for \"dtype\""},
      {R"({"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}})", "a", "expected a list of sizes"},
      {R"({"a":{"dtype":"U8","shape":[1.0],"data_offsets":[0,1]}})", "a", "expected a list of sizes"},
      {R"({"a":{"dtype":"U8","shape":[[1]],"data_offsets":[0,1]}})", "a", "expected a list of sizes"},
      {R"({"a":{"dtype":"U8","shape":1,"data_offsets":[0,1]}})", "a", "expected a list of sizes"},
      {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[1,0]}})", "a", "run backwards"},
      {R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,1]}})", "a", "data_offsets hold 1"},
      {R"({"__metadata__":{"a":1}})", "", "expected a string for metadata"},
      {R"({"__metadata__":{"a":"x","a":"y"}})", "", "metadata key \"a\" is given twice"},
      {R"({"__metadata__":[]})", "", "expected an object"},
      {R"({"__metadata__":{},"__metadata__":{}})", "", "given twice"},
  };
  for (const auto& each : cases) {
    const auto error = refusal(each.header, each.data);
    EXPECT_NE(error.find(each.says), std::string::npos) << each.header << " -> " << error;
    EXPECT_NE(error.find("x.safetensors"), std::string::npos) << error;
  }
}

TEST_F(Safetensors, RefusesDuplicateNames) {
  const auto error = refusal(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                             R"("a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})",
                             "ab");
  EXPECT_NE(error.find("\"a\" is given twice"), std::string::npos) << error;
}

TEST_F(Safetensors, RefusesSizesWhoseProductWraps) {
  // 2^32 * 2^32 wraps to 0 and 4 * 2^62 * ... to a small number of bytes.
  for (const char* shape : {"[4294967296,4294967296]", "[4611686018427387905,4]", "[0,9223372036854775807,3]",
                            "[18446744073709551615]", "[9223372036854775807]"}) {
    const auto error =
        refusal(std::string(R"({"a":{"dtype":"F32","shape":)") + shape + R"(,"data_offsets":[0,16]}})",
                "0123456789abcdef");
    EXPECT_NE(error.find("too large"), std::string::npos) << shape << " -> " << error;
  }
}

TEST_F(Safetensors, RefusesHolesOverlapsAndLeftovers) {
  EXPECT_NE(refusal(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})", "ab").find("hole"),
            std::string::npos);
  EXPECT_NE(
      refusal(
          R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})",
          "abc")
          .find("overlaps"),
      std::string::npos);
  EXPECT_NE(refusal(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", "ab").find("2 follow"),
            std::string::npos);
}

TEST_F(Safetensors, RefusesBooleansBeyondOne) {
  EXPECT_NE(refusal(R"({"a":{"dtype":"BOOL","shape":[2],"data_offsets":[0,2]}})", "\x01\x02").find("BOOL"),
            std::string::npos);
}

TEST_F(Safetensors, DamageNeverCrashes) {
  write_safetensors(
      folder / "a.safetensors",
      {{"w", torch::rand({4, 5})}, {"b", torch::ones({7}, at::kLong)}, {"m", torch::tensor({true, false})}},
      {{"format", "pt"}});
  const auto whole = read_text(folder / "a.safetensors");
  int refused = 0;
  test::for_each_damage(whole, 1000,
                        [&](const std::string& bytes) { refused += refusal(bytes).empty() ? 0 : 1; });
  EXPECT_GT(refused, 500);  // every truncation, and most flips of the header
}

TEST_F(Safetensors, MissingFileIsADataError) {
  EXPECT_THROW(read_safetensors(folder / "none"), DataError);
  EXPECT_THROW(read_safetensors(folder.path()), DataError);
}

}  // namespace
}  // namespace gen
