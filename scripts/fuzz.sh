#!/usr/bin/env bash
# Runs one fuzzer of the asan preset: scripts/fuzz.sh build/asan/fuzz/fuzz_x SECONDS. Seeds come from
# tests/fuzz/corpus/<name>, where there are any; a crash leaves its input in build/fuzz.
set -euo pipefail
fuzzer=$1 seconds=$2
name=$(basename "$fuzzer")
root=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$root/build/fuzz"
corpus=$(mktemp -d)
trap 'rm -rf "$corpus"' EXIT
seeds=()
[ -d "$root/tests/fuzz/corpus/$name" ] && seeds=("$root/tests/fuzz/corpus/$name")
# No input of 64 kB may cost more memory than this. The sanitizer would keep 256 MB of freed memory beside it.
export ASAN_OPTIONS="quarantine_size_mb=16:${ASAN_OPTIONS:-}"
"$fuzzer" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=512 -malloc_limit_mb=512 -max_len=65536 -print_final_stats=1 \
  -artifact_prefix="$root/build/fuzz/$name-" "$corpus" "${seeds[@]}"
