#include "gen/io/content.h"

namespace gen {
namespace {

using namespace std::string_view_literals;

struct Format {
  std::string_view magic, name;
};

constexpr Format kFormats[] = {
    {"version https://git-lfs"sv, "a Git-LFS pointer, which stands for the file (fetch it: git lfs pull)"sv},
    {"<!DOCTYPE"sv, "a web page (the download brought a server's answer instead of the file)"sv},
    {"<!doctype"sv, "a web page (the download brought a server's answer instead of the file)"sv},
    {"<html"sv, "a web page (the download brought a server's answer instead of the file)"sv},
    {"\x89PNG"sv, "a PNG"sv},
    {"\xff\xd8\xff"sv, "a JPEG"sv},
    {"GIF8"sv, "a GIF (convert it to PNG)"sv},
    {"BM"sv, "a BMP (convert it to PNG)"sv},
    {"II*\0"sv, "a TIFF (convert it to PNG)"sv},
    {"MM\0*"sv, "a TIFF (convert it to PNG)"sv},
    {"PK\x03\x04"sv, "a zip archive (PyTorch's pickles are such)"sv},
    {"\x1f\x8b"sv, "a gzip file (unpack it)"sv},
    {"\x80\x02"sv, "a Python pickle"sv},
    {"\x80\x03"sv, "a Python pickle"sv},
    {"\x80\x04"sv, "a Python pickle"sv},
    {"\x80\x05"sv, "a Python pickle"sv},
    {"\x89HDF"sv, "an HDF5 file"sv},
    {"\x93NUMPY"sv, "a NumPy array"sv},
    {"GGUF"sv, "a GGUF file"sv},
    {"\x7f"
     "ELF"sv,
     "a program"sv},
    {"%PDF"sv, "a PDF"sv},
    {"{\n"sv, "JSON text"sv},
    {"{\""sv, "JSON text"sv},
    {"{ "sv, "JSON text"sv},
    {"[{"sv, "JSON text"sv},
};

}  // namespace

std::string content_name(std::string_view start, const std::string& unknown) {
  if (start.empty()) return "an empty file";
  if (start.starts_with("RIFF") && start.size() >= 12 && start.substr(8, 4) == "WEBP")
    return "a WebP (convert it to PNG)";
  for (const auto& [magic, name] : kFormats)
    if (start.starts_with(magic)) return std::string(name);
  return unknown;
}

}  // namespace gen
