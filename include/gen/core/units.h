// Numbers as people read them.
#pragma once

#include <cstdint>
#include <string>

namespace gen {

/// 1536 -> "1.5 KiB".
std::string human_bytes(double bytes);
/// 6512345 -> "6.51 M".
std::string human_count(int64_t count);
/// 3725 -> "1h02m", 75 -> "1m15s", 3.2 -> "3.2s".
std::string human_duration(double seconds);

}  // namespace gen
