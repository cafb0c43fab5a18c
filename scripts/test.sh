#!/usr/bin/env bash
# Sets up, builds and runs every test; the last line is "N passed, N failed[, N skipped]".
#
#   scripts/test.sh              everything: lint, release tests, sanitizers, fuzzers
#   scripts/test.sh --quick      lint and release tests only
#   scripts/test.sh --cuda       everything, and cuda/ compiled even where its sources are as they were checked
set -uo pipefail
cd "$(dirname "$0")/.."
quick=no cuda=no
for flag; do
  case $flag in
    --quick) quick=yes ;;
    --cuda) cuda=yes ;;
    *) sed -n '2,6p' "$0" | cut -c3-; exit 2 ;;
  esac
done
fuzz_seconds=${GEN_FUZZ_SECONDS:-20}
passed=0 failed=0 skipped=0
failures=()

# What all of it cost so far, in seconds of a processor. (`times` tells of this shell's children: not in $(...) or a pipe.)
spent=0
clock=$(mktemp)
measure() {
  times >"$clock"
  spent=$(awk -F '[ms ]+' 'NR == 2 { printf "%.0f", ($1 + $3) * 60 + $2 + $4 }' "$clock")
}

# tell TEXT: a line, with what was spent since the last one.
tell() {
  local before=$spent
  measure
  printf '%-72s %4d CPU-seconds\n' "$1" $((spent - before))
}

# count NAME PASSED FAILED SKIPPED
count() {
  passed=$((passed + $2)) failed=$((failed + $3)) skipped=$((skipped + $4))
  [ "$3" -gt 0 ] && failures+=("$1")
  tell "$(printf '%-34s %4d passed, %d failed, %d skipped' "$@")"
}

# One GoogleTest executable. A crash counts as a failure.
run_gtest() {
  local name report log status
  name=$2/$(basename "$1")
  report=$(mktemp) log=$(mktemp)
  timeout 900 "$1" --gtest_output="json:$report" >"$log" 2>&1
  status=$?
  read -r p f s < <(python3 - "$report" <<'PY'
import json, sys
try:
    report = json.load(open(sys.argv[1]))
except ValueError:
    report = {"testsuites": []}
p = f = s = 0
for suite in report["testsuites"]:
    for test in suite["testsuite"]:
        if test.get("failures"): f += 1
        elif test.get("result") == "SKIPPED": s += 1
        elif test.get("status") == "RUN": p += 1
print(p, f, s)
PY
)
  if [ $status -ne 0 ] && [ "$f" -eq 0 ]; then f=1; fi
  if [ "$f" -gt 0 ]; then
    grep -E '^\[  FAILED|: Failure|ERROR:|runtime error' "$log" | head -n 40
    tail -n 15 "$log"
  fi
  # A skipped test says why.
  [ "$s" -gt 0 ] && grep -hoE 'needs .* absent|needs .*' "$log" | sort -u | head -n 5
  count "$name" "$p" "$f" "$s"
  rm -f "$report" "$log"
}

# A script that exits 0 when all is well.
run_check() {
  local log
  log=$(mktemp)
  if "${@:2}" >"$log" 2>&1; then count "$1" 1 0 0; else cat "$log"; count "$1" 0 1 0; fi
  rm -f "$log"
}

scripts/build.sh release || { echo "the build failed"; echo "0 passed, 1 failed"; exit 1; }
tell "built release"
for check in scripts/lint/*.py; do run_check "lint/$(basename "$check")" python3 "$check"; done
# Every kernel compiled and what nvcc made of it looked at, unless that was done for these very sources (cuda/checked).
check_cuda() {
  [ "$cuda" = no ] && python3 scripts/cuda/fingerprint.py && return
  scripts/build.sh cuda gen_cuda && python3 scripts/cuda/check_build.py build/cuda
}
if command -v nvcc >/dev/null || [ -x /usr/local/cuda/bin/nvcc ]; then
  run_check cuda/check_build.py check_cuda
else
  echo "the checks of cuda/ need nvcc, which is absent"
  count cuda/check_build.py 0 0 1
fi
# The steps that a machine with a GPU runs, on this one's CPU.
gpu_check_on_cpu() {
  scripts/bundle.sh && GEN_TORCH_DIR=${GEN_TORCH_DIR:-build/torch} build/bundle/gpu_check.sh --device cpu build/gpu_check.json
}
run_check gpu_check.sh gpu_check_on_cpu
for test in build/release/tests/gen_test_*; do
  [ -f "$test" ] && run_gtest "$test" release
done

if [ "$quick" = no ]; then
  fuzzers=(tests/fuzz/fuzz_*.cpp)
  fuzzers=("${fuzzers[@]##*/}")
  scripts/build.sh asan gen_test_unit_core gen_test_unit_config gen_test_unit_io gen_test_unit_data "${fuzzers[@]%.cpp}" ||
    { echo "the sanitizer build failed"; count asan 0 1 0; }
  tell "built asan"
  for layer in core config io data; do
    [ -x "build/asan/tests/gen_test_unit_$layer" ] && run_gtest "build/asan/tests/gen_test_unit_$layer" asan
  done
  for fuzzer in build/asan/fuzz/fuzz_*; do
    [ -x "$fuzzer" ] && run_check "fuzz/$(basename "$fuzzer")" scripts/fuzz.sh "$fuzzer" "$fuzz_seconds"
  done
fi

# CONTRIBUTING.md has the budget.
measure
rm -f "$clock"
echo "$(((spent + 30) / 60)) CPU-minutes, $(((SECONDS + 30) / 60)) on the clock"
[ ${#failures[@]} -gt 0 ] && printf 'failed: %s\n' "${failures[@]}"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
