// The compiled part of fmt 12, whose headers LibTorch ships without a library; Debian's fmt 9, which spdlog wants, is in a
// namespace of its own. Compiled once here, it need not be compiled into every file (FMT_HEADER_ONLY), which took a fifth of
// the time of a build.
#include <fmt/format-inl.h>

FMT_BEGIN_NAMESPACE
namespace detail {

// What format.h declares `extern template` or only declares, for the one character type that is used.
template auto dragonbox::to_decimal(float x) noexcept -> dragonbox::decimal_fp<float>;
template auto dragonbox::to_decimal(double x) noexcept -> dragonbox::decimal_fp<double>;
template auto thousands_sep_impl(locale_ref) -> thousands_sep_result<char>;
template auto decimal_point_impl(locale_ref) -> char;

}  // namespace detail
FMT_END_NAMESPACE
