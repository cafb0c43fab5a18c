#include "config/byte_text.h"

#include <gtest/gtest.h>

#include "config/encoding.h"

namespace gen {
namespace {

TEST(JsonString, KeepsEveryByte) {
  const std::string all = [] {
    std::string bytes;
    for (int c = 0; c < 256; ++c) bytes += static_cast<char>(c);
    return bytes;
  }();
  for (const std::string& bytes :
       {std::string("caf\xe9"), std::string("caf\xc3\xa9"), std::string("a\\xe9"), std::string("a\\x5cxe9"),
        std::string("\\\xff"), std::string("C:\\xyz\\x41"), all})
    EXPECT_EQ(from_json_string(to_json_string(bytes)), bytes) << to_json_string(bytes);
  EXPECT_EQ(to_json_string("caf\xe9"), "caf\\xe9");
  EXPECT_EQ(to_json_string("caf\xc3\xa9"), "caf\xc3\xa9");
  EXPECT_EQ(to_json_string("a\\xe9"), "a\\x5cxe9") << "a name that reads like an escape is another name";
  EXPECT_EQ(to_json_string("a\\x41"), "a\\x41");
}

TEST(EncodingMistake, NamesWideEncodingsWithAndWithoutAMark) {
  using namespace std::string_view_literals;
  for (const auto text : {"\xff\xfe{\0"sv, "\xfe\xff\0{"sv, "{\0\n\0"sv, "\0{\0\n"sv})
    EXPECT_NE(encoding_mistake(text).find("UTF-16"), std::string::npos);
  for (const auto text : {"\xff\xfe\0\0{\0\0\0"sv, "\0\0\xfe\xff\0\0\0{"sv, "{\0\0\0"sv, "\0\0\0{"sv})
    EXPECT_NE(encoding_mistake(text).find("UTF-32"), std::string::npos);
  for (const auto text : {""sv, "{"sv, "{}"sv, "\xef\xbb\xbf{}"sv, "// caf\xe9\n{}"sv})
    EXPECT_EQ(encoding_mistake(text), "");
}

}  // namespace
}  // namespace gen
