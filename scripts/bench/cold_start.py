#!/usr/bin/env python3
"""From process start to a PNG: one image in one step from a trained 6.5 M parameter UNet, gen against diffusers."""
import tempfile
from pathlib import Path

import common


def main():
    arguments = common.parser(__doc__, "cold.py").parse_args()
    with_peer = common.has_peer(arguments)
    times = {}
    with tempfile.TemporaryDirectory() as folder:
        draws = {}
        for name, gen in common.programs(arguments).items():
            run = Path(folder) / name
            common.train_wall_s(gen, "diffusion/bench_mnist.json", run, steps=1, threads=arguments.threads)
            draws[name] = [gen, "sample", "--run", run, "--count", 1, "--out", Path(folder) / f"drawn_{name}", "--quiet",
                           "--set", "sample.sampler.steps=1"]
            common.wall_s(draws[name])
        if with_peer:
            common.peer_rows(arguments, Path(folder) / "pipeline")
        for _ in range(arguments.rounds):
            for name, draw in draws.items():
                times.setdefault(name, []).append(common.wall_s(draw))
            if with_peer:
                times.setdefault("diffusers", []).append(common.peer_rows(arguments, Path(folder) / "pipeline")[-1]["total_s"])
    common.report(times, "s", larger_is_better=False)


if __name__ == "__main__":
    main()
