#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks what nvcc made of cuda/, without a GPU, from a finished build folder.

- no kernel spills, but for those that cuda/spill_waivers.csv names with a reason; no waiver is idle;
- no note of ptxas that wgmma is serialised (C7510, C7511, C7517) or that it had to be fenced (C7519);
- registers, stack, static shared memory and barriers of each kernel are those of cuda/resources.csv;
- where cuobjdump and nvdisasm are found (in $GEN_CUDA_TOOLS, beside nvcc or on PATH; the Python package triton brings
  them in triton/backends/nvidia/bin): the machine code has the instructions that resources.csv names, Hopper's kernels
  have HGMMA and UTMALDG, and no innermost loop with matrix instructions touches local memory.

    scripts/cuda/check_build.py [BUILD_FOLDER]             build/cuda unless said otherwise
    scripts/cuda/check_build.py [BUILD_FOLDER] --update    writes resources.csv anew; look at the difference

The words of ptxas lie beside each object (scripts/cuda/compile.sh). Numbers are compared only for the compiler that
resources.csv names: another one allocates registers in its own way. Prints each breach; exits 1 if there is any. Where
there is none, the state of the sources is noted in cuda/checked (scripts/cuda/fingerprint.py).
"""
import csv
import os
import pathlib
import re
import shutil
import subprocess
import sys

import fingerprint
import sass

ROOT = pathlib.Path(__file__).resolve().parents[2]
TABLE = ROOT / "cuda/resources.csv"
WAIVERS = ROOT / "cuda/spill_waivers.csv"
COLUMNS = ["kernel", "arch", "registers", "stack", "shared", "barriers", "instructions"]
SERIALISED = re.compile(r"\((C7510|C7511|C7517|C7519)\)")


def readable(mangled):
    """{mangled: name without arguments, return type and the hash of anonymous namespaces}."""
    demangled = subprocess.run(["c++filt"], input="\n".join(mangled), capture_output=True, text=True, check=True)
    names = {}
    for raw, name in zip(mangled, demangled.stdout.splitlines()):
        name = re.sub(r"(\(anonymous namespace\)|_GLOBAL__N__\w+)(::)?", "", name)
        name = re.sub(r"^void ", "", name)
        depth, end = 0, len(name)
        for i, letter in enumerate(name):  # the argument list is the first parenthesis outside <>
            depth += (letter == "<") - (letter == ">")
            if letter == "(" and depth == 0:
                end = i
                break
        names[raw] = re.sub(r"^::", "", re.sub(r"\((?:int|bool)\)", "", name[:end])).replace("gen::", "")
    return names


def read_record(path):
    """[{kernel (mangled), arch, registers, ...}], [notes] of one FILE.o.ptxas."""
    kernels, notes, current = [], [], None
    for line in path.read_text().splitlines():
        if match := re.search(r"Compiling entry function '(\w+)' for '(\w+)'", line):
            current = {"kernel": match[1], "arch": match[2], "file": path.name.removesuffix(".o.ptxas")}
            kernels.append(current)
        elif match := re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", line):
            if current is not None and "stack" not in current:
                current.update(stack=match[1], spilled=int(match[2]) + int(match[3]))
        elif match := re.search(r"Used (\d+) registers", line):
            shared = re.search(r"(\d+) bytes smem", line)
            barriers = re.search(r"used (\d+) barriers", line)
            current.update(registers=match[1], shared=shared[1] if shared else "0",
                           barriers=barriers[1] if barriers else "0")
        elif SERIALISED.search(line):
            notes.append(f"{path.name}: {line.strip()}")
    return kernels, notes


def read_records(folder):
    """The kernels of every object, of the records that have one; stale records of removed files are left out."""
    kernels, notes, problems = [], [], []
    objects = sorted((folder / "cuda/CMakeFiles").rglob("*.cu.o"))
    for each in objects:
        source = ROOT / "cuda" / each.relative_to(next(p for p in each.parents if p.name.endswith(".dir"))).with_suffix("")
        if not source.exists():
            continue
        record = each.with_name(each.name + ".ptxas")
        if not record.exists():
            problems.append(f"{each.name}: no words of ptxas beside the object; remove the object and build again")
            continue
        found, said = read_record(record)
        kernels += found
        notes += said
    if not objects:
        problems.append(f"{folder}: no objects of cuda/; build the target gen_cuda")
    return kernels, notes, problems


def check_spills(kernels):
    """Spills against the waivers, both ways."""
    with WAIVERS.open() as file:
        waivers = list(csv.DictReader(file))
    problems, used = [], set()
    for kernel in kernels:
        if not kernel.get("spilled"):
            continue
        waived = [w["kernel"] for w in waivers if w["kernel"] in kernel["name"]]
        used.update(waived)
        if not waived:
            problems.append(f"{kernel['name']} ({kernel['arch']}): spills {kernel['spilled']} bytes")
    problems += [f"{WAIVERS.name}: no kernel needs the waiver of {w['kernel']}" for w in waivers if w["kernel"] not in used]
    problems += [f"{WAIVERS.name}: the waiver of {w['kernel']} gives no reason" for w in waivers if not w["reason"]]
    return problems


def compiler(folder):
    """nvcc's path and version, as CMake found them."""
    facts = next((folder / "CMakeFiles").glob("*/CMakeCUDACompiler.cmake")).read_text()
    return [re.search(rf'set\({name} "(.*?)"\)', facts)[1] for name in ("CMAKE_CUDA_COMPILER", "CMAKE_CUDA_COMPILER_VERSION")]


def find_tools(nvcc):
    """cuobjdump's path with an environment that finds nvdisasm, or None."""
    places = [os.environ.get("GEN_CUDA_TOOLS", ""), str(pathlib.Path(nvcc).parent), os.environ.get("PATH", "")]
    path = os.pathsep.join(place for place in places if place)
    tool = shutil.which("cuobjdump", path=path)
    return (tool, {**os.environ, "PATH": path}) if tool and shutil.which("nvdisasm", path=path) else None


def read_table():
    """(compiler version, {(kernel, arch): row})."""
    if not TABLE.exists():
        return "", {}
    lines = TABLE.read_text().splitlines()
    rows = csv.DictReader(line for line in lines if not line.startswith("#"))
    return re.search(r"nvcc ([\d.]+)", lines[0])[1], {(row["kernel"], row["arch"]): row for row in rows}


def check_table(kernels, version):
    expected_version, table = read_table()
    problems = []
    found = {(k["name"], k["arch"]): k for k in kernels}
    for key in sorted(found.keys() | table.keys()):
        name = f"{key[0]} ({key[1]})"
        if key not in table:
            problems.append(f"{name}: not in {TABLE.name}; run scripts/cuda/check_build.py --update")
        elif key not in found:
            problems.append(f"{name}: in {TABLE.name}, but not built; run scripts/cuda/check_build.py --update")
        elif version == expected_version:
            problems += [f"{name}: {column} {found[key][column]}, {TABLE.name} says {table[key][column]}"
                         for column in COLUMNS[2:6] if found[key][column] != table[key][column]]
    if version != expected_version:
        print(f"nvcc {version} is not the table's {expected_version}: registers are not compared")
    return problems


def check_code(kernels, functions):
    """The machine code of the library: functions = {(mangled, arch): sass.Function}."""
    _, table = read_table()
    problems = []
    for kernel in kernels:
        code = functions.get((kernel["kernel"], kernel["arch"]))
        name = f"{kernel['name']} ({kernel['arch']})"
        if code is None:
            problems.append(f"{name}: not in libgen_cuda.so")
            continue
        wanted = set(table.get((kernel["name"], kernel["arch"]), {}).get("instructions", "").split())
        if kernel["name"].startswith("flash_hopper::"):
            wanted |= {"HGMMA", "UTMALDG"}
        problems += [f"{name}: the machine code has no {each}" for each in sorted(wanted - code.kinds())]
        problems += [f"{name}: {line} in an inner loop with matrix instructions" for line in code.local_memory_in_loops()]
    return problems


def write_table(kernels, functions, version):
    _, old = read_table()
    with TABLE.open("w") as file:
        file.write(f"# nvcc {version}; written by scripts/cuda/check_build.py --update. Bytes of stack and static shared memory.\n")
        writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        for kernel in sorted(kernels, key=lambda k: (k["name"], k["arch"])):
            code = functions.get((kernel["kernel"], kernel["arch"])) if functions else None
            kept = old.get((kernel["name"], kernel["arch"]), {}).get("instructions", "")
            writer.writerow({**kernel, "kernel": kernel["name"],
                             "instructions": " ".join(sorted(code.kinds() & sass.MATRIX_AND_COPY)) if code else kept})
    print(f"wrote {TABLE.relative_to(ROOT)}: {len(kernels)} kernels")


def main():
    folders = [argument for argument in sys.argv[1:] if argument != "--update"]
    folder = pathlib.Path(folders[0]) if folders else ROOT / "build/cuda"
    kernels, notes, problems = read_records(folder)
    if not problems:
        names = readable([kernel["kernel"] for kernel in kernels])
        kernels = [{**kernel, "name": names[kernel["kernel"]]} for kernel in kernels]
        nvcc, version = compiler(folder)
        tools = find_tools(nvcc)
        functions = sass.functions(*tools, folder / "lib/libgen_cuda.so") if tools else None
        if "--update" in sys.argv:
            write_table(kernels, functions, version)
        problems = notes + check_spills(kernels) + check_table(kernels, version)
        if functions is None:
            print("machine code not looked at: cuobjdump and nvdisasm are absent (set GEN_CUDA_TOOLS to their folder)")
        else:
            problems += check_code(kernels, functions)
    print("\n".join(problems) if problems else f"{len(kernels)} kernels as they should be")
    if not problems:
        fingerprint.write()
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
