#!/usr/bin/env bash
# Packs a finished release build so that it runs on another machine with LibTorch 2.11 and nothing else of ours:
# programs, our libraries, the shared libraries that neither LibTorch nor glibc brings, configs, gpu_check.sh.
#
#   scripts/bundle.sh [FOLDER]     writes FOLDER (build/bundle unless said otherwise) and FOLDER.tar.gz
#
# There: FOLDER/gen and FOLDER/attention_check find LibTorch in $GEN_TORCH_DIR (the folder that holds torch/, or torch/
# itself) or by asking python3 where its torch is. glibc and libstdc++ must be as new as this machine's.
set -euo pipefail
cd "$(dirname "$0")/.."
case ${1:-} in -h | --help) sed -n '2,9p' "$0" | cut -c3-; exit 0 ;; esac
build=build/release
bundle=${1:-build/bundle}
limit_mb=60

for needed in bin/gen lib/libgen.so gpu/gen_attention_check; do
  [ -e "$build/$needed" ] || { echo "bundle.sh: $build/$needed is missing; run scripts/build.sh first" >&2; exit 1; }
done
rm -rf "$bundle" "$bundle.tar.gz"
mkdir -p "$bundle/bin" "$bundle/lib"
cp "$build/bin/gen" "$bundle/bin/gen"
cp "$build/gpu/gen_attention_check" "$bundle/bin/attention_check"
cp "$build/lib/libgen.so" "$bundle/lib/"
kernels=$build/lib/libgen_cuda.so
[ -f "$kernels" ] || kernels=build/cuda/lib/libgen_cuda.so
if [ -f "$kernels" ]; then
  cp "$kernels" "$bundle/lib/"
else
  echo "bundle.sh: no libgen_cuda.so (scripts/build.sh cuda gen_cuda makes it): the bundle has none of our CUDA kernels" >&2
fi
cp -r configs "$bundle/"
cp scripts/gpu_check.sh "$bundle/"
git rev-parse HEAD >"$bundle/commit" 2>/dev/null || echo unknown >"$bundle/commit"

# Shared libraries from outside LibTorch's folders; glibc, libstdc++ and the loader belong to the machine, whose driver
# and LibTorch may need newer ones than ours.
torch_lib=$(ldd "$build/lib/libgen.so" | awk '$1 == "libtorch_cpu.so" { print $3 }')
torch_root=$(dirname "$(dirname "$(dirname "$torch_lib")")")
ldd "$build/bin/gen" "$build/lib/libgen.so" "$build/gpu/gen_attention_check" | awk '$2 == "=>" { print $3 }' | sort -u |
  while read -r library; do
    case $(readlink -f "$library") in "$(readlink -f "$torch_root")"/*) continue ;; esac
    case $(basename "$library") in
      libgen*.so | libstdc++.so.* | libgcc_s.so.* | ld-linux* | libc.so.* | libm.so.* | libdl.so.* | libpthread.so.* | librt.so.* | libutil.so.*) ;;
      *) cp -L "$library" "$bundle/lib/" ;;
    esac
  done
strip --strip-unneeded "$bundle"/bin/* "$bundle"/lib/* 2>/dev/null || true

cat >"$bundle/run" <<'LAUNCHER'
#!/usr/bin/env bash
# Runs the program of the bundle that this is called as (gen, attention_check) with this machine's LibTorch.
set -euo pipefail
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
name=$(basename "$0")
wanted=2.11.0
torch=${GEN_TORCH_DIR:-}
if [ -z "$torch" ]; then
  torch=$(python3 -c 'import importlib.util, os; print(os.path.dirname(importlib.util.find_spec("torch").origin))' 2>/dev/null) || {
    echo "$name: no LibTorch: set GEN_TORCH_DIR, or put a python3 with torch $wanted on PATH" >&2
    exit 1
  }
fi
[ -d "$torch/torch/lib" ] && torch=$torch/torch
[ -f "$torch/lib/libtorch_cpu.so" ] || { echo "$name: $torch holds no lib/libtorch_cpu.so" >&2; exit 1; }
if ! grep -q "\"$wanted\"" "$torch/include/torch/headeronly/version.h" 2>/dev/null; then
  echo "$name: LibTorch in $torch is not $wanted" >&2
  exit 1
fi
# Where the Python packages of NVIDIA lie beside torch, libtorch finds them by its own run path.
export LD_LIBRARY_PATH=$here/lib:$torch/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
exec "$here/bin/$name" "$@"
LAUNCHER
chmod +x "$bundle/run"
ln -s run "$bundle/gen"
ln -s run "$bundle/attention_check"

tar -C "$(dirname "$bundle")" -czf "$bundle.tar.gz" "$(basename "$bundle")"
size_mb=$(du -sm "$bundle" | cut -f1)
[ "$size_mb" -le $limit_mb ] || { echo "bundle.sh: $size_mb MB, more than $limit_mb" >&2; exit 1; }
echo "$bundle: $size_mb MB; $bundle.tar.gz: $(du -sm "$bundle.tar.gz" | cut -f1) MB"
