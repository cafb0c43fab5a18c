#!/usr/bin/env bash
# From nothing to a picture: sets up, builds, trains a small diffusion model on the embedded shapes, samples, and
# says where the picture is. A second run redoes nothing that is done.
set -euo pipefail
cd "$(dirname "$0")/.."
config=configs/diffusion/shapes.json
run=runs/quickstart
scripts/build.sh release gen_binary
gen=build/release/bin/gen
if [ ! -f "$run/summary.json" ]; then
  resume=()
  [ -d "$run/checkpoints" ] && resume=(--resume)
  echo "==> training on the embedded data set (about a minute)"
  $gen train --config "$config" --run-dir "$run" "${resume[@]}"
fi
echo "==> sampling"
$gen sample --run "$run" --count 64 --out "$run/samples"
cat <<EOF

The picture:  $PWD/$run/samples/grid.png
Try next:
  cd $(printf %q "$PWD")
  $gen eval --run $run --limit 500              # its scores; why this bound is far off: src/models/diffusion/README.md
  $gen sample --run $run --seed 1 --count 16    # other samples
  $gen list                                     # everything there is
  $gen describe model diffusion                 # the options of one type
  $gen train --config configs/vae/shapes.json   # another family
EOF
