#include "support/own_words.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace gen::test {
namespace {

constexpr const char* kForeignWords[] = {
    // C++, its runtime and its loader
    "std::", "basic_string", "bad_alloc", "length_error", "terminate called", "what():", "filesystem error",
    "Segmentation fault", "core dumped", "Success",
    // LibTorch and what it brings
    "c10::", "at::", "ATen", "torch::", "caffe2", "Exception raised", "enforce fail", "frame #",
    "DefaultCPUAllocator", "libgomp", "OMP:", "Error in cpuinfo", "oneDNN error", "mkldnn",
    // readers and printers
    "json.exception", "while parsing", "syntax error", "libpng", "IHDR", "CRC error", "libjpeg", "Huffman",
    "JPEG datastream", "zlib", "inflate", "incorrect header check", "spdlog", "fmt::", "CLI11", "CLI::",
    // gen itself, where it should have known better
    "a bug in gen"};

}  // namespace

void expect_own_words(const std::string& text) {
  for (const char* words : kForeignWords)
    EXPECT_EQ(text.find(words), std::string::npos) << "\"" << words << "\" in: " << text;
  const auto acts = [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && byte != '\n') || byte == 0x7f;
  };
  const auto at = std::find_if(text.begin(), text.end(), acts);
  EXPECT_EQ(at, text.end()) << "byte " << (at == text.end() ? 0 : int{*at})
                            << " acts on a terminal, in: " << text;
}

}  // namespace gen::test
