#!/usr/bin/env bash
# From nothing to a picture: sets up, builds, trains a small diffusion model on the embedded shapes, samples, and
# says where the picture is. A second run redoes nothing that is done.
#
#   scripts/quickstart.sh            CUDA kernels only where a GPU is seen
#   scripts/quickstart.sh --cuda     CUDA kernels and LibTorch's CUDA part in any case
set -euo pipefail
cd "$(dirname "$0")/.."
config=configs/diffusion/quickstart.json
run=runs/quickstart
case "${1:-}" in
  "") build=() ;;
  --cuda) build=(--cuda) ;;
  *) sed -n '2,7p' "$0" | cut -c3-; exit 2 ;;
esac
scripts/build.sh "${build[@]}" release gen_binary
gen=build/release/bin/gen
if [ ! -f "$run/summary.json" ]; then
  resume=()
  [ -d "$run/checkpoints" ] && resume=(--resume)
  echo "==> training on the embedded data set (a minute or two on two cores)"
  $gen train --config "$config" --run-dir "$run" "${resume[@]}"
fi
echo "==> sampling"
$gen sample --run "$run" --count 64 --out "$run/samples"
cat <<EOF

The picture:  $PWD/$run/samples/grid.png
Try next:
  cd $(printf %q "$PWD")
  $gen eval --run $run --limit 500              # its scores
  $gen sample --run $run --seed 1 --count 16    # other samples
  $gen list                                     # everything there is
  $gen describe model diffusion                 # the options of one type
  $gen train --config configs/vae/shapes.json   # another family
EOF
