#!/usr/bin/env python3
"""Attention on the CPU: gen::flash_attention against torch's scaled_dot_product_attention, in one process.

The two alternate; each row gives medians of --rounds calls and their ratio, forward or backward, for the shapes that the
models here have. Needs a Python with torch 2.11 (GEN_PEERS_PYTHON, or --python).
"""
import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from common import ROOT

CASES = [  # name, B, H, Lq, Lk, D, causal
    ("long, full", 4, 8, 1024, 1024, 64, False),
    ("causal 512", 4, 8, 512, 512, 64, True),
    ("causal 1024", 4, 8, 1024, 1024, 64, True),
    ("cross, 77 keys, D 40", 2, 8, 4096, 77, 40, False),
    ("cross, 77 keys, D 160", 2, 8, 256, 77, 160, False),
    ("UNet self-attention, D 8", 16, 16, 256, 256, 8, False),
    ("one head, 1024", 1, 1, 1024, 1024, 64, False),
    ("one head, 4096, causal", 1, 1, 4096, 4096, 64, True),
    ("decoding, 1024 keys", 1, 12, 1, 1024, 64, False),
    ("decoding, 4096 keys", 4, 8, 1, 4096, 64, False),
]


def parse():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--library", default=ROOT / "build/release/lib/libgen.so")
    p.add_argument("--rounds", type=int, default=20)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--only", default="", help="part of a case's name")
    p.add_argument("--python", default=os.environ.get("GEN_PEERS_PYTHON"))
    return p.parse_args()


def medians(calls, rounds):
    """Seconds of each call, alternating."""
    times = [[] for _ in calls]
    for i in range(rounds + 2):
        for call, row in zip(calls, times):
            start = time.perf_counter()
            call()
            if i >= 2:
                row.append(time.perf_counter() - start)
    return [statistics.median(row) for row in times]


def main():
    arguments = parse()
    try:
        import torch
    except ImportError:
        if arguments.python is None or Path(arguments.python) == Path(sys.executable):
            sys.exit("needs a Python with torch 2.11: set GEN_PEERS_PYTHON or give --python")
        sys.exit(subprocess.call([arguments.python, *sys.argv]))
    torch.ops.load_library(str(arguments.library))
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)

    def ours(q, k, v, causal):
        return torch.ops.gen.flash_attention(q, k, v, causal=causal)[0]

    def torchs(q, k, v, causal):
        return torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=causal)

    print(f"{'':26s} {'dtype':9s} {'gen':>9s} {'torch':>9s}  forward   {'gen':>9s} {'torch':>9s}  backward")
    for name, B, H, lq, lk, D, causal in CASES:
        if arguments.only not in name:
            continue
        for dtype in (torch.float32, torch.bfloat16):
            make = lambda L: torch.randn(B, L, H, D, dtype=dtype).transpose(1, 2).requires_grad_()
            q, k, v = make(lq), make(lk), make(lk)
            with torch.no_grad():
                forward = medians([lambda f=f: f(q, k, v, causal) for f in (ours, torchs)], arguments.rounds)
            outs = [f(q, k, v, causal) for f in (ours, torchs)]
            grad = torch.randn_like(outs[0])
            backward = medians([lambda o=o: torch.autograd.grad(o, (q, k, v), grad, retain_graph=True) for o in outs],
                               arguments.rounds)
            cells = [f"{1e3 * a:9.3f} {1e3 * b:9.3f}  {b / a:6.2f} x" for a, b in (forward, backward)]
            print(f"{name:26s} {str(dtype)[6:]:9s} {cells[0]}   {cells[1]}   (ms)", flush=True)


if __name__ == "__main__":
    main()
