#!/usr/bin/env bash
# Sets up and builds: scripts/build.sh [--cuda] [PRESET [TARGET...]]. Without arguments: the whole release preset.
# The CUDA kernels are compiled where a GPU is seen, or where --cuda asks for them (LibTorch then comes with its CUDA part).
set -euo pipefail
cd "$(dirname "$0")/.."
setup=() configure=()
if [ "${1:-}" = --cuda ]; then
  setup=(--cuda) configure=(-DGEN_BUILD_CUDA=ON)
  shift
fi
scripts/setup.sh "${setup[@]}"
preset=${1:-release}
shift || true
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if [ ! -f "build/$preset/build.ninja" ] || [ ${#configure[@]} -gt 0 ]; then
  cmake --preset "$preset" "${configure[@]}" >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
fi
targets=()
for target in "$@"; do targets+=(--target "$target"); done
cmake --build "build/$preset" "${targets[@]}"
