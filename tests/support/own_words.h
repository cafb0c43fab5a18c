// What gen prints is in its own words: looked at in every output that a test of the binary sees.
#pragma once

#include <string>

namespace gen::test {

/// Fails the test where `text`, which gen printed, holds words of another library, a cause that is none, or bytes that act
/// on a terminal.
void expect_own_words(const std::string& text);

}  // namespace gen::test
