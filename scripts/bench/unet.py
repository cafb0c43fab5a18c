#!/usr/bin/env python3
"""Speed of a DDPM's UNet (6.5 M parameters, 32 x 32, batch 16) on the CPU: gen against diffusers.

gen trains and samples configs/diffusion/bench_mnist.json through `gen train` and `gen sample`; each rate is the work
of a longer run less that of a shorter one over the difference of their wall times, so start-up is left out. The peer
script prints the rate of its own loop. All alternate, and medians are printed.
"""
import tempfile
from pathlib import Path

import common

CONFIG, BATCH = "diffusion/bench_mnist.json", 16


def sampling_rate(gen, run, precision):
    """Network calls x images a second."""
    def seconds(steps):
        return common.wall_s([gen, "sample", "--run", run, "--count", BATCH, "--batch-size", BATCH, "--out",
                              Path(run) / "drawn", "--quiet", "--set", f"sample.sampler.steps={steps}",
                              "--set", f"sample.precision={precision}"])
    short, long = 2, 12
    return BATCH * (long - short) / (seconds(long) - seconds(short))


def main():
    p = common.parser(__doc__, "ddpm.py")
    p.add_argument("what", choices=["train", "sample"])
    p.add_argument("--bf16", action="store_true")
    arguments = p.parse_args()
    with_peer = common.has_peer(arguments)
    rates = {}
    with tempfile.TemporaryDirectory() as folder:
        runs = {name: Path(folder) / name for name in common.programs(arguments)}
        if arguments.what == "sample":
            for name, gen in common.programs(arguments).items():
                common.train_wall_s(gen, CONFIG, runs[name], steps=1, threads=arguments.threads)
        for _ in range(arguments.rounds):
            for name, gen in common.programs(arguments).items():
                if arguments.what == "train":
                    value = BATCH * common.train_steps_per_s(gen, CONFIG, arguments.threads, 4, 24)
                else:
                    value = sampling_rate(gen, runs[name], "bf16" if arguments.bf16 else "fp32")
                rates.setdefault(name, []).append(value)
            if with_peer:
                options = [arguments.what, "mnist", "--threads", arguments.threads] + ["--bf16"] * arguments.bf16
                row = common.peer_rows(arguments, *options)[-1]
                rates.setdefault("diffusers", []).append(row["value"])
    common.report(rates, "img/s" if arguments.what == "train" else "calls x img/s")


if __name__ == "__main__":
    main()
