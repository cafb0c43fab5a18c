#!/usr/bin/env bash
# Installs what gen is built with and puts LibTorch into build/torch. Safe to run again: what is there stays.
#
#   scripts/setup.sh                 Debian/Ubuntu packages (as root or through sudo) and LibTorch for the CPU
#   scripts/setup.sh --cuda          LibTorch with all its CUDA packages (4.6 GB)
#   scripts/setup.sh --prefix DIR    put LibTorch into DIR instead of build/torch
#   GEN_TORCH_DIR=DIR scripts/setup.sh   use the LibTorch that is in DIR
set -euo pipefail
cd "$(dirname "$0")/.."

torch_version=2.11.0
cuda_runtime_version=13.0.96   # libtorch_cpu.so itself links libcudart.so.13 ...
cuda_cupti_version=13.0.85     # ... and libcupti.so.13
packages=(clang-19 lld-19 libclang-rt-19-dev cmake ninja-build ccache git ca-certificates python3 python3-pip
          libcli11-dev libspdlog-dev libfmt-dev nlohmann-json3-dev libgtest-dev
          libpng-dev libjpeg62-turbo-dev zlib1g-dev libxxhash-dev)

cuda=no
prefix=${GEN_TORCH_DIR:-$PWD/build/torch}
while [ $# -gt 0 ]; do
  case $1 in
    --cuda) cuda=yes ;;
    --prefix) prefix=${2:?--prefix needs a folder}; shift ;;
    -h | --help) sed -n '2,8p' "$0" | cut -c3-; exit 0 ;;
    *) echo "setup.sh: unknown option $1 (see --help)" >&2; exit 2 ;;
  esac
  shift
done

say() { printf '==> %s\n' "$*"; }

install_packages() {
  local missing=() package
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    local tool absent=()
    for tool in clang++-19 ld.lld-19 cmake ninja ccache python3; do command -v "$tool" >/dev/null || absent+=("$tool"); done
    [ ${#absent[@]} -eq 0 ] && return
    cat >&2 <<EOF
This script installs packages on Debian 12 and its relatives only. On this system please install:
  clang 19 with its runtime and lld 19 (or g++ 12, then build with the preset gcc), CMake >= 3.25, Ninja, ccache,
  Python 3 with pip, CLI11 >= 2.1, spdlog >= 1.10 with fmt, nlohmann-json >= 3.11, GoogleTest >= 1.12,
  libpng, libjpeg-turbo, zlib, xxHash: libraries with their headers.
Not found: ${absent[*]}
EOF
    exit 1
  fi
  for package in "${packages[@]}"; do
    dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return
  local root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "setup.sh: run as root, or install: ${missing[*]}" >&2; exit 1; }
    root=(sudo)
  fi
  say "installing packages: ${missing[*]}"
  "${root[@]}" apt-get update -q
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -yq --no-install-recommends "${missing[@]}"
}

has_torch() {
  local header=$1/torch/include/torch/headeronly/version.h
  [ -f "$1/include/torch/headeronly/version.h" ] && header=$1/include/torch/headeronly/version.h
  [ -f "$header" ] && grep -q "\"$torch_version\"" "$header"
}

# pip works in a folder beside the final one, so an interrupted download leaves no half LibTorch behind.
install_torch() {
  local wanted=$torch_version-$cuda
  if has_torch "$prefix"; then
    [ -n "${GEN_TORCH_DIR:-}" ] && return
    if [ "$(cat "$prefix/.setup" 2>/dev/null)" = "$wanted" ] || [ "$cuda" = no ]; then return; fi
  elif [ -n "${GEN_TORCH_DIR:-}" ]; then
    echo "setup.sh: GEN_TORCH_DIR=$GEN_TORCH_DIR holds no LibTorch $torch_version" >&2
    exit 1
  fi
  local staging=$prefix.part specs=(torch==$torch_version) flags=()
  if [ "$cuda" = no ]; then
    specs+=(nvidia-cuda-runtime==$cuda_runtime_version nvidia-cuda-cupti==$cuda_cupti_version)
    flags=(--no-deps)
  fi
  say "installing LibTorch $torch_version into $prefix (about $([ "$cuda" = yes ] && echo '4.6 GB' || echo '1.2 GB'))"
  rm -rf "$staging"
  mkdir -p "$(dirname "$prefix")"
  # Half a minute or more of download: shown where someone looks.
  local quiet=(-q)
  [ -t 1 ] && quiet=()
  python3 -m pip install "${quiet[@]}" --disable-pip-version-check --root-user-action=ignore "${flags[@]}" --target "$staging" "${specs[@]}"
  echo "$wanted" >"$staging/.setup"
  rm -rf "$prefix"
  mv "$staging" "$prefix"
}

install_packages
install_torch
