// CRC-32C (Castagnoli) and its masked form, as TFRecord files store it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace gen {

/// Reflected polynomial 0x82F63B78, initial value and final xor 0xFFFFFFFF: "123456789" gives 0xE3069283.
uint32_t crc32c(std::string_view bytes);
/// Rotated right by 15 bits plus 0xA282EAD8, so that the checksum of data that hold checksums stays good.
uint32_t masked_crc32c(std::string_view bytes);
/// One TFRecord: length (u64), its masked CRC, the payload, its masked CRC; little-endian.
std::string tfrecord(std::string_view payload);

}  // namespace gen
