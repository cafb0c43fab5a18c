#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whether cuda/ is as it was when scripts/cuda/check_build.py last found nothing wrong with it.

Compiling every kernel takes five CPU-minutes, and what nvcc makes of the same sources does not change. So the check keeps
a hash of all that goes into it (sources of cuda/, the headers of ops that they share with the program, the tables, the
scripts, nvcc's version) in cuda/checked, and scripts/test.sh builds the kernels only where that hash is another.

    scripts/cuda/fingerprint.py            exits 0 where the hash is that of cuda/checked, 1 where it is not
    scripts/cuda/fingerprint.py --write    writes it; check_build.py does so when all is well
"""
import hashlib
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHECKED = ROOT / "cuda/checked"
INPUTS = ["cuda/**/*", "include/gen/ops/**/*.h", "scripts/cuda/*"]
LEFT_OUT = {CHECKED.name, "README.md"}


def nvcc_version():
    nvcc = shutil.which("nvcc") or "/usr/local/cuda/bin/nvcc"
    return subprocess.run([nvcc, "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[-1]


def fingerprint():
    digest = hashlib.sha256(nvcc_version().encode())
    files = {path for pattern in INPUTS for path in ROOT.glob(pattern)}
    for path in sorted(files):
        if path.is_file() and path.name not in LEFT_OUT and "__pycache__" not in path.parts:
            content = path.read_bytes()
            digest.update(f"\n{path.relative_to(ROOT)} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def write():
    CHECKED.write_text(fingerprint() + "\n")


def main():
    if "--write" in sys.argv:
        write()
        return 0
    return 0 if CHECKED.exists() and CHECKED.read_text().strip() == fingerprint() else 1


if __name__ == "__main__":
    sys.exit(main())
