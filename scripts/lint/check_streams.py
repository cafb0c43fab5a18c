#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that each stream of randomness has one user: two that share one draw the same numbers.

- every value of `enum class Stream` (include/gen/core/rng.h) is named in one file of src/;
- the values are 1, 2, ..., kNumStreams.
Prints each breach as FILE:LINE: what; exits 1 if there is any.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
HEADER = ROOT / "include/gen/core/rng.h"


def main():
    text = HEADER.read_text()
    body = re.search(r"enum class Stream[^{]*\{(.*?)\};", text, re.S).group(1)
    values = {name: int(value) for name, value in re.findall(r"^\s*(\w+) = (\d+),", body, re.M)}
    count = int(re.search(r"kNumStreams = (\d+)", text).group(1))
    breaches = []
    if sorted(values.values()) != list(range(1, count + 1)):
        breaches.append(f"{HEADER.relative_to(ROOT)}:1: the streams are not 1 to kNumStreams = {count}")
    users = {name: set() for name in values}
    for path in sorted((ROOT / "src").rglob("*")):
        if path.suffix in (".h", ".cpp"):
            for name in re.findall(r"Stream::(\w+)", path.read_text()):
                users[name].add(path.relative_to(ROOT).as_posix())
    for name, files in users.items():
        if len(files) != 1:
            breaches.append(f"{HEADER.relative_to(ROOT)}:1: Stream::{name} has {len(files)} users ({', '.join(sorted(files))})"
                            ": give each a stream of its own, and remove those without")
    print("\n".join(breaches) if breaches else f"{count} streams with one user each")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
