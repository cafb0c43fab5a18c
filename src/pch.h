// The one precompiled header: LibTorch, JSON, fmt and the standard headers used nearly everywhere. A file still
// includes what it uses, so that it also compiles without this header (GEN_USE_PCH=OFF).
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/torch.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>
