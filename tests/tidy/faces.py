#!/usr/bin/env python3
"""A room's face, as its README names it (from "Face:" to "In:"), is what the rooms outside include, no more and no less."""
import pathlib
import re
import sys

root = pathlib.Path(__file__).resolve().parents[2]
rooms = sorted(p.name for p in (root / "src").iterdir() if p.is_dir())
# Tests may look inside of any room; what they alone include is nobody's face.
test = re.compile(r"_(test|fuzz|testing)$|_for_test")
outside = {room: {} for room in rooms}  # header -> one place that includes it
for source in sorted((root / "src").rglob("*")):
    if source.suffix not in {".h", ".cpp"} or test.search(source.stem):
        continue
    for number, line in enumerate(source.read_text().splitlines(), 1):
        found = re.match(r'\s*#include\s+"([a-z_0-9]+)/([^"]+)"', line)
        if found and found.group(1) in outside and root / "src" / found.group(1) not in source.parents:
            outside[found.group(1)].setdefault(found.group(2), f"{source.relative_to(root)}:{number}")
faults = []
for room, used in outside.items():
    readme = f"src/{room}/README.md"
    said = re.search(r"^Face:(.*?)^In:", (root / readme).read_text(), re.M | re.S)
    if said is None:
        faults.append(f"{readme}: names no face (from a line \"Face:\" to a line \"In:\")")
        continue
    named = set(re.findall(r"`([a-z0-9_]+\.h)`", said.group(1)))
    faults += [f"{used[h]}: {room}/{h} is not in the face that {readme} names" for h in sorted(used.keys() - named)]
    faults += [f"{readme}: {h} is no face: no other room includes it" for h in sorted(named - used.keys())]
for fault in faults:
    print(fault)
print(f"faces: {len(faults)} faults in {sum(map(len, outside.values()))} headers of {len(rooms)} rooms")
sys.exit(1 if faults else 0)
