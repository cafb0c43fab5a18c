// Text on its way out. Names, keys, labels and messages may come from files that strangers made: what a terminal
// would obey (colours, titles, the clipboard) or hide is shown as an escape instead.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace gen {

/// `text` as any terminal may show it: valid UTF-8 in which control characters (C0 but newline and tab, DEL, C1),
/// line separators and what is invisible or turns the direction of writing are written \u001b, and bytes that are
/// no UTF-8 \xff. Of a JSON text it makes a JSON text of the same value.
std::string printable(std::string_view text);
/// The same on one line: newline and tab are escaped too. For names inside a message.
std::string printable_line(std::string_view text);
/// At most the first `most` letters of `text`; a letter is never cut in two.
std::string_view first_letters(std::string_view text, size_t most);
/// `text` where it has at most `most` letters, else its first ones and "...".
std::string shortened(std::string_view text, size_t most);

}  // namespace gen
