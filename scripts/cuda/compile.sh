#!/usr/bin/env bash
# Compiler launcher of cuda/: runs the command and keeps what it says (ptxas: registers, spills, notes on wgmma) in
# OBJECT.ptxas, beside the object, so that the record lives as long as the object. What is no mere information is also
# shown. A ccache before the compiler replays its words, so the record is written then, too.
set -uo pipefail
object= previous=
for argument; do
  [ "$previous" = -o ] && object=$argument
  previous=$argument
done
[ -n "$object" ] || exec "$@"
"$@" 2>"$object.ptxas.part"
status=$?
grep -vE '^ptxas info|bytes stack frame' "$object.ptxas.part" >&2
if [ $status -eq 0 ]; then mv "$object.ptxas.part" "$object.ptxas"; else rm -f "$object.ptxas.part"; fi
exit $status
