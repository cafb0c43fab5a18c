#!/usr/bin/env bash
# Everything that needs a GPU, from the bundle that scripts/bundle.sh made; builds nothing. Writes one JSON.
#
#   BUNDLE/gpu_check.sh [RESULT.json]              on the machine with the GPU, from the unpacked bundle
#   scripts/gpu_check.sh [RESULT.json]             from a source tree: uses build/bundle
#   ... --device cpu                               the same steps, small, on a CPU: shows that they run
#
# Steps: fuzz against float64; compute-sanitizer (memcheck, racecheck, synccheck, initcheck) on small shapes where it is
# found; determinism, 100 runs; training a small UNet; a table against each backend of torch's attention. The language
# models are not in the tree yet, so none is trained: the JSON says so.
# Exit: 0 all well, 1 a step failed, 2 usage, 3 no GPU here.
set -uo pipefail
here=$(dirname "$(readlink -f "$0")")
device=cuda result=gpu_check.json
while [ $# -gt 0 ]; do
  case $1 in
    --device) device=${2:?--device needs cuda or cpu}; shift ;;
    -h | --help) sed -n '2,13p' "$0" | cut -c3-; exit 0 ;;
    -*) echo "gpu_check.sh: unknown option $1 (see --help)" >&2; exit 2 ;;
    *) result=$1 ;;
  esac
  shift
done
bundle=$here
[ -x "$bundle/attention_check" ] || bundle=$here/../build/bundle
[ -x "$bundle/attention_check" ] || { echo "gpu_check.sh: no bundle; make one with scripts/bundle.sh" >&2; exit 2; }

small=() fuzz_count=2000 repeats=100 train_steps=300
if [ "$device" = cpu ]; then
  small=(--small) fuzz_count=60 repeats=5 train_steps=4
elif ! nvidia-smi -L >/dev/null 2>&1; then
  echo "gpu_check.sh: no GPU on this machine (nvidia-smi -L fails); nothing was checked. Run it where there is one." >&2
  exit 3
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

# step NAME COMMAND...: its stdout, exit status and seconds are kept for the JSON.
step() {
  local name=$1 begin status
  shift
  echo "==> $name" >&2
  begin=$(date +%s.%N)
  "$@" >"$work/$name.out" 2>"$work/$name.err"
  status=$?
  echo "$status $(date +%s.%N) $begin" >"$work/$name.status"
  [ $status -eq 0 ] && return
  failed=1
  echo "    failed with exit status $status:" >&2
  tail -n 5 "$work/$name.err" >&2
}

check() { "$bundle/attention_check" "$@" --device "$device"; }

sanitizer=$(command -v compute-sanitizer || ls /usr/local/cuda/bin/compute-sanitizer 2>/dev/null || true)
step fuzz check fuzz --count $fuzz_count
step determinism check determinism --count $repeats "${small[@]}"
if [ "$device" = cuda ] && [ -n "$sanitizer" ]; then
  for tool in memcheck racecheck synccheck initcheck; do
    step "sanitizer_$tool" "$sanitizer" --tool $tool --target-processes all --error-exitcode 9 \
      "$bundle/attention_check" fuzz --count 12 --device cuda
  done
fi
step train_unet "$bundle/gen" train --config "$bundle/configs/diffusion/shapes.json" --run-dir "$work/unet" \
  --set device="$device" --set train.steps=$train_steps --set train.checkpoint_every=0 --set train.sample_every=0
step bench check bench "${small[@]}"
[ "$device" = cuda ] && nvidia-smi --query-gpu=name,driver_version --format=csv,noheader >"$work/gpu" 2>/dev/null

python3 - "$work" "$result" "$device" "$bundle" "$sanitizer" <<'PY'
import json, pathlib, sys

work, result, device, bundle, sanitizer = sys.argv[1:]
work = pathlib.Path(work)
steps = {}
for status in sorted(work.glob("*.status"), key=lambda path: path.stat().st_mtime_ns):
    code, end, begin = status.read_text().split()
    said = status.with_suffix(".out").read_text()
    try:
        detail = json.loads(said)
    except ValueError:
        detail = said.splitlines()[-5:]
    steps[status.stem] = {"exit_status": int(code), "seconds": round(float(end) - float(begin), 1), "result": detail}
    if int(code):
        steps[status.stem]["stderr"] = status.with_suffix(".err").read_text().splitlines()[-20:]
gpu = work / "gpu"
report = {
    "device": device,
    "gpu": gpu.read_text().strip() if gpu.exists() else None,
    "commit": (pathlib.Path(bundle) / "commit").read_text().strip(),
    "ok": all(step["exit_status"] == 0 for step in steps.values()),
    "steps": steps,
    "not_done": {"train_language_model": "the language-model family is not in the tree yet"},
}
if device == "cuda" and not sanitizer:
    report["not_done"]["compute_sanitizer"] = "compute-sanitizer was not found"
pathlib.Path(result).write_text(json.dumps(report, indent=2) + "\n")
for step in steps.values():
    for row in step["result"].get("rows", []) if isinstance(step["result"], dict) else []:
        figures = row.get("refused") or f"{row['forward_ms']:9.3f} ms {row['forward_tflops']:8.1f} TFLOP/s  +backward {row['backward_ms']:9.3f} ms"
        print(f"{str(row['shape']):28} {row['backend']:16} {figures}")
PY
[ $? -eq 0 ] || failed=1
echo "==> $result" >&2
exit $failed
