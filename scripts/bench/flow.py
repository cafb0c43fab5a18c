#!/usr/bin/env python3
"""Training speed of a coupling flow on points (8 couplings of MLPs 128-128, batch 512): gen against nflows and zuko.

gen trains configs/flow/bench_2d.json through `gen train`; the peer script prints one JSON line for each library. All
alternate, and medians are printed. Without the peer, gen alone is measured.
"""
import common


def main():
    p = common.parser(__doc__, "flow.py")
    p.add_argument("--short", type=int, default=200, help="steps of the shorter run")
    p.add_argument("--long", type=int, default=1200, help="steps of the longer run")
    arguments = p.parse_args()
    with_peer = common.has_peer(arguments)
    rates = {}
    for _ in range(arguments.rounds):
        measured = {name: common.train_steps_per_s(gen, "flow/bench_2d.json", arguments.threads, arguments.short,
                                                   arguments.long)
                    for name, gen in common.programs(arguments).items()}
        if with_peer:
            measured |= {row["peer"]: row["value"] for row in common.peer_rows(arguments)}
        for name, value in measured.items():
            rates.setdefault(name, []).append(value)
    common.report(rates, "steps/s")


if __name__ == "__main__":
    main()
