#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that includes respect the order of the layers in CMakeLists.txt and that files keep to their size.

- a file of src/LAYER or include/gen/LAYER includes only its own layer and those that gen_layer(LAYER USES ...) reaches;
- private headers (src/LAYER/x.h) are included by their own layer only;
- no model family (src/models/FAMILY) includes another;
- headers of include/gen stay light: no spdlog, CLI11, nlohmann/json.hpp, and torch/torch.h only where a module is
  part of the contract;
- spdlog, CLI11, libpng and libjpeg are each seen by one layer or file only;
- what leaves the program goes through the few files that escape it (gen/core/text.h): no other prints;
- no source file is longer than 400 lines.
Prints each breach as FILE:LINE: what; exits 1 if there is any.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
MAX_LINES = 400
HEAVY = ("spdlog/", "CLI/", "nlohmann/json.hpp", "torch/torch.h", "torch/all.h", "png.h", "jpeglib.h")
# Contracts whose types are LibTorch modules.
TORCH_ALLOWED = {"nn/network.h", "nn/row_wise_layers.h", "models/model.h", "train/optimizer.h"}
# Library -> where it may be included.
CONFINED = {
    "spdlog/": "src/core/log_sink.cpp",
    "CLI/": "src/cli/",
    "png.h": "src/io/",
    "jpeglib.h": "src/io/",
}
# Text out of files may hold what a terminal obeys, so few files print, and each escapes what it prints.
PRINTERS = ("src/cli/results.", "src/cli/error_text.cpp", "src/cli/progress_line.cpp", "src/core/terminal.cpp",
            "src/core/log_sink.cpp")
PRINTS = re.compile(r"fmt::print|std::(cout|cerr|clog|puts|printf)|\b(printf|fprintf|fputs|puts)\(")
INCLUDE = re.compile(r'^\s*#\s*include\s+[<"]([^">]+)[">]')


def layers():
    """{layer: the layers it may include, itself among them}, from gen_layer(NAME USES ... LINKS ...)."""
    text = re.sub(r"#.*", "", (ROOT / "CMakeLists.txt").read_text())
    uses = {}
    for name, rest in re.findall(r"gen_layer\((\w+)([^)]*)\)", text):
        match = re.search(r"USES\s+((?:\w+\s*)+?)(?=LINKS|$)", rest.strip())
        uses[name] = match.group(1).split() if match else []
    reach = {}
    for name, used in uses.items():  # lowest first, so what a layer uses is known already
        for each in used:
            if each not in reach:
                sys.exit(f"CMakeLists.txt: layer {name} uses {each}, which is not declared before it")
        reach[name] = {name}.union(*(reach[each] for each in used))
    return reach


def family_of(path):
    """The folder of src/models that a file of a family lies in."""
    parts = path.parts
    return parts[2] if parts[:2] == ("src", "models") and len(parts) > 3 else None


def check_include(path, target, reach):
    """What is wrong with `path` including `target`, or None."""
    text = path.as_posix()
    layer = path.parts[2] if path.parts[0] == "include" else path.parts[1]
    for library, home in CONFINED.items():
        if target.startswith(library) and not text.startswith(home):
            return f"{target} may only be included in {home}"
    if path.parts[0] == "include":
        name = "/".join(path.parts[2:])
        for heavy in HEAVY:
            if target.startswith(heavy) and not (target == "torch/torch.h" and name in TORCH_ALLOWED):
                return f"a header of include/gen is light: no {target}"
    parts = target.split("/")
    if parts[0] == "gen" and len(parts) > 2:
        used = parts[1]
        if used in reach and used not in reach[layer]:
            return f"layer {layer} may not use {used} (CMakeLists.txt)"
    elif parts[0] in reach and len(parts) > 1 and (ROOT / "src" / target).exists():
        if path.parts[0] == "include":
            return f"a public header may not include the private {target}"
        if parts[0] != layer:
            return f"{target} is private to layer {parts[0]}"
        other = family_of(pathlib.Path("src") / target)
        if other and family_of(path) and other != family_of(path):
            return f"family {family_of(path)} may not use family {other}"
    return None


def main():
    reach = layers()
    breaches = []
    for folder in ("src", "include/gen"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix not in (".h", ".cpp"):
                continue
            relative = path.relative_to(ROOT)
            lines = path.read_text().splitlines()
            if len(lines) > MAX_LINES:
                breaches.append(f"{relative}:{len(lines)}: longer than {MAX_LINES} lines; look for the second idea in it")
            layer = relative.parts[2] if relative.parts[0] == "include" else relative.parts[1]
            if layer not in reach:
                if path.stem != "pch":
                    breaches.append(f"{relative}:1: {layer} is not a layer of CMakeLists.txt")
                continue
            for number, line in enumerate(lines, 1):
                match = INCLUDE.match(line)
                problem = match and check_include(relative, match.group(1), reach)
                if problem:
                    breaches.append(f"{relative}:{number}: {problem}")
                if PRINTS.search(line) and not relative.as_posix().startswith(PRINTERS):
                    breaches.append(f"{relative}:{number}: prints; use cli/results.h or gen/core/log.h")
    for path in sorted((ROOT / "tests").rglob("*.cpp")) + sorted((ROOT / "cuda").rglob("*.cu")):
        count = len(path.read_text().splitlines())
        if count > MAX_LINES:
            breaches.append(f"{path.relative_to(ROOT)}:{count}: longer than {MAX_LINES} lines")
    print("\n".join(breaches) if breaches else f"{len(reach)} layers in order")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
