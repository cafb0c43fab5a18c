#!/usr/bin/env bash
# Sets up and builds: scripts/build.sh [PRESET [TARGET...]]. Without arguments: the whole release preset.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh
preset=${1:-release}
shift || true
[ -f "build/$preset/build.ninja" ] || cmake --preset "$preset" >"/tmp/gen-configure.$$" 2>&1 || {
  cat "/tmp/gen-configure.$$" >&2
  rm -f "/tmp/gen-configure.$$"
  exit 1
}
rm -f "/tmp/gen-configure.$$"
targets=()
for target in "$@"; do targets+=(--target "$target"); done
cmake --build "build/$preset" "${targets[@]}"
