# SPDX-License-Identifier: Apache-2.0
"""Reads the machine code of a CUDA library: which instructions a kernel has, and what its inner loops do."""
import collections
import re
import subprocess

MATRIX = {"HMMA", "HGMMA"}
MATRIX_AND_COPY = MATRIX | {"LDGSTS", "UTMALDG", "LDSM"}
LOCAL_MEMORY = {"LDL", "STL"}
Instruction = collections.namedtuple("Instruction", "address kind text")
LINE = re.compile(r"^\s+/\*([0-9a-f]{4,})\*/\s+(?:@!?U?P\w+\s+)?([A-Z][A-Z0-9_]*)([^;]*);")
HEADER = re.compile(r"Function : (\w+)")
ARCH = re.compile(r"^arch = (sm_\w+)")


class Function:
    def __init__(self):
        self.instructions = []

    def kinds(self):
        return {each.kind for each in self.instructions}

    def innermost_loops(self):
        """[first, last] addresses of the backward branches' bodies that hold no other such body."""
        loops = []
        for each in self.instructions:
            target = re.search(r"(?:^|[\s,])0x([0-9a-f]+)\s*$", each.text) if each.kind == "BRA" else None
            if target and int(target[1], 16) < each.address:
                loops.append((int(target[1], 16), each.address))
        return [loop for loop in loops
                if not any(other != loop and other[0] >= loop[0] and other[1] <= loop[1] for other in loops)]

    def local_memory_in_loops(self):
        """Loads and stores of local memory within innermost loops that multiply matrices."""
        found = []
        for first, last in self.innermost_loops():
            body = [each for each in self.instructions if first <= each.address <= last]
            if any(each.kind in MATRIX for each in body):
                found += [f"{each.kind} at {each.address:#x}" for each in body if each.kind in LOCAL_MEMORY]
        return found


def parse(lines):
    """{(mangled name, arch): Function} of the output of cuobjdump -sass."""
    functions, arch, current = {}, "", None
    for line in lines:
        if match := ARCH.match(line):
            arch = match[1]
        elif match := HEADER.search(line):
            current = functions.setdefault((match[1], arch), Function())
        elif current is not None and (match := LINE.match(line)):
            current.instructions.append(Instruction(int(match[1], 16), match[2], match[3].strip()))
    return functions


def functions(cuobjdump, environment, library):
    with subprocess.Popen([cuobjdump, "-sass", str(library)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          text=True, env=environment) as process:
        found = parse(process.stdout)
    if process.returncode != 0 or not found:
        raise SystemExit(f"{cuobjdump} -sass {library}: exit status {process.returncode}, {len(found)} functions")
    return found
