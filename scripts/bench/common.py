"""What the benchmarks share: where things are, running a peer script, and printing medians with ratios."""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def parser(doc, peer):
    """--gen, --before, --rounds, --threads, --python, and --peer: the peer's script under $GEN_SHARED_DIR/peers."""
    shared = os.environ.get("GEN_SHARED_DIR", ROOT.parent / "shared")
    p = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--gen", default=ROOT / "build/release/bin/gen")
    p.add_argument("--before", help="another build of gen, to alternate with")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--peer", default=Path(shared) / "peers" / peer)
    p.add_argument("--python", default=os.environ.get("GEN_PEERS_PYTHON"))
    return p


def programs(arguments):
    """name -> binary: gen, and the build to compare it with where one is given."""
    return {"gen": arguments.gen} | ({"before": arguments.before} if arguments.before else {})


def has_peer(arguments):
    found = arguments.python is not None and Path(arguments.peer).exists()
    if not found:
        print("no peer: set GEN_PEERS_PYTHON and GEN_SHARED_DIR, or give --python and --peer", file=sys.stderr)
    return found


def wall_s(command):
    """Seconds that a whole process takes."""
    start = time.monotonic()
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - start


def peer_rows(arguments, *options):
    """The JSON lines that the peer's script prints."""
    command = [arguments.python, str(arguments.peer), *map(str, options)]
    return list(map(json.loads, subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()))


def train_wall_s(gen, config, folder, **settings):
    """Seconds of a whole `gen train` of a shipped config into `folder`, with dotted settings (steps=..., threads=...)."""
    sets = [part for key, value in settings.items() for part in ("--set", f"train.{key}={value}")]
    return wall_s([gen, "train", "--config", ROOT / "configs" / config, "--run-dir", folder, "--quiet", "--overwrite", *sets])


def train_steps_per_s(gen, config, threads, short, long):
    """Two runs of different length: the difference leaves start-up and the last checkpoint out."""
    with tempfile.TemporaryDirectory() as folder:
        times = [train_wall_s(gen, config, Path(folder) / "run", steps=steps, threads=threads) for steps in (short, long)]
    return (long - short) / (times[1] - times[0])


def report(rates, unit, larger_is_better=True):
    """rates: name -> measurements, "gen" among them. Prints each median, its range, and gen's advantage over it."""
    medians = {name: statistics.median(values) for name, values in rates.items()}
    for name, value in medians.items():
        ratio = ""
        if name != "gen":
            advantage = medians["gen"] / value if larger_is_better else value / medians["gen"]
            ratio = f"   gen is {advantage:.2f} x as fast"
        print(f"{name:22s} {value:9.2f} {unit}  [{min(rates[name]):.2f}, {max(rates[name]):.2f}]{ratio}")
