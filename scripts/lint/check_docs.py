#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that the documents name what is there.

- each folder of src/ that is a layer has a row in the table of src/README.md, lowest first as in CMakeLists.txt;
- each model family (src/models/FAMILY) has a README.md, a folder configs/FAMILY with a config, and a unit test;
- every config's folder is its model type's name;
- relative links in *.md, and files named there between backquotes with a known folder in front, exist.
Prints each breach as FILE:LINE: what; exits 1 if there is any.
"""
import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
NAMED = re.compile(r"`((?:src|include|configs|scripts|tests|cuda)/[\w./-]+)`")


def documents():
    """The markdown files that git tracks or would."""
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"], cwd=ROOT,
                            capture_output=True, text=True)
    if listed.returncode == 0:
        return [ROOT / name for name in sorted(set(listed.stdout.split())) if (ROOT / name).exists()]
    return [path for path in sorted(ROOT.rglob("*.md")) if "build" not in path.relative_to(ROOT).parts]


def without_comments(text):
    """JSON without // and /* */ comments; strings are kept as they are."""
    return re.sub(r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/', lambda m: m.group(1) or "", text, flags=re.S)


def check_layers_table():
    declared = re.findall(r"gen_layer\((\w+)", (ROOT / "CMakeLists.txt").read_text())
    readme = ROOT / "src/README.md"
    if not readme.exists():
        return ["src/README.md:1: missing"]
    rows = [name for name in re.findall(r"^\|\s*`?(\w+)`?\s*\|", readme.read_text(), flags=re.M) if name in declared]
    breaches = [f"src/README.md:1: no row for layer {name}" for name in declared if name not in rows]
    if not breaches and rows != declared:
        breaches.append(f"src/README.md:1: the rows are in another order than CMakeLists.txt: {', '.join(rows)}")
    return breaches


def check_families():
    breaches = []
    families = sorted(path.name for path in (ROOT / "src/models").iterdir() if path.is_dir())
    for family in families:
        if not (ROOT / "src/models" / family / "README.md").exists():
            breaches.append(f"src/models/{family}/README.md:1: missing (equation, paper, options, results)")
        if not list((ROOT / "configs" / family).glob("*.json")):
            breaches.append(f"configs/{family}:1: no config for this family")
        if not list((ROOT / "tests/unit/models").rglob(f"*{family}*")):
            breaches.append(f"tests/unit/models:1: no test named after family {family}")
    for path in sorted((ROOT / "configs").glob("*/*.json")):
        try:
            config = json.loads(without_comments(path.read_text()))
        except ValueError as error:
            breaches.append(f"{path.relative_to(ROOT)}:1: not JSON: {error}")
            continue
        family = config.get("model", {}).get("type", path.parent.name)
        if family != path.parent.name:
            breaches.append(f"{path.relative_to(ROOT)}:1: trains a {family}: it belongs in configs/{family}")
    return breaches


def check_links():
    breaches = []
    for path in documents():
        for number, line in enumerate(path.read_text().splitlines(), 1):
            where = f"{path.relative_to(ROOT)}:{number}"
            for target in LINK.findall(line):
                if re.match(r"[a-z]+:|#", target):
                    continue
                if not (path.parent / target.split("#")[0]).exists():
                    breaches.append(f"{where}: the link {target} leads nowhere")
            for target in NAMED.findall(line):
                if not (ROOT / target).exists():
                    breaches.append(f"{where}: there is no {target}")
    return breaches


def main():
    breaches = check_layers_table() + check_families() + check_links()
    print("\n".join(breaches) if breaches else f"{len(documents())} documents agree with the tree")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
