#!/usr/bin/env python3
"""A room uses only rooms above it (src/FLOORS), through no cycle; a library is known to one or two."""
import pathlib
import re
import sys

root = pathlib.Path(__file__).resolve().parents[2]
floors = [line.strip() for line in (root / "src/FLOORS").read_text().splitlines() if line and not line.startswith("#")]
rank = {room: i for i, room in enumerate(floors)}
# A library's headers may be included only where the design says it lives.
homes = {
    r"nghttp2/": {"net"},
    r"simdjson": {"base"},
    r"zlib": {"base"},
    r"libdeflate": {"data"},
    r"sqlite3": {"store"},
    r"openssl/": {"crypto", "net"},
    r"libxml/|xmlsec/": {"label"},
}
faults = []


def named_by_build(folder):
    """The rooms that a room's CMakeLists.txt names after USES."""
    build = folder / "CMakeLists.txt"
    call = re.search(r"entente_room\(([^)]*)\)", build.read_text()) if build.exists() else None
    words = call.group(1).split() if call else []
    used = set()
    if "USES" in words:
        for word in words[words.index("USES") + 1 :]:
            if word.isupper():
                break
            used.add(word)
    return used


for folder in sorted(p for p in (root / "src").iterdir() if p.is_dir()):
    room = folder.name
    if room not in rank:
        faults.append(f"{folder.relative_to(root)}: this room is not in src/FLOORS")
        continue
    readme = folder / "README.md"
    if not readme.exists():
        faults.append(f"{folder.relative_to(root)}: has no README.md")
    elif not 6 <= len(readme.read_text().splitlines()) <= 8:
        faults.append(f"{folder.relative_to(root)}/README.md: what a room is for is said in about six lines")
    uses = named_by_build(folder)
    for used in sorted(uses):
        if used not in rank:
            faults.append(f"{folder.relative_to(root)}/CMakeLists.txt: {used} is not in src/FLOORS")
        elif rank[used] >= rank[room]:
            faults.append(f"{folder.relative_to(root)}/CMakeLists.txt: {room} may not use {used}, which does not lie above it")
    included = set()
    for source in sorted(folder.rglob("*")):
        if source.suffix not in {".h", ".cpp"}:
            continue
        for number, line in enumerate(source.read_text().splitlines(), 1):
            found = re.match(r'\s*#include\s+["<]([^">]+)[">]', line)
            if not found:
                continue
            target = found.group(1)
            place = f"{source.relative_to(root)}:{number}"
            first = target.split("/")[0]
            included.add(first)
            if first in rank and "/" in target and rank[first] > rank[room]:
                faults.append(f"{place}: {room} may not use {first}, which lies below it")
            elif first in rank and "/" in target and first != room and first not in uses:
                faults.append(f"{place}: {room} includes {first}, which its CMakeLists.txt does not name after USES")
            for pattern, allowed in homes.items():
                if re.match(pattern, target) and room not in allowed:
                    test = source.stem.endswith("_test")
                    if not (test and pattern == r"openssl/"):
                        faults.append(f"{place}: {target} belongs inside {', '.join(sorted(allowed))}")
            if source.suffix == ".h" and re.match(r"nghttp2/|simdjson|sqlite3|zlib", target) and not source.stem.endswith("_internal"):
                faults.append(f"{place}: {target} may not stand in a header others include")
    for idle in sorted(uses - included):
        faults.append(f"{folder.relative_to(root)}/CMakeLists.txt: {room} includes nothing of {idle}")
for fault in faults:
    print(fault)
print(f"floors: {len(faults)} faults in {len(floors)} rooms")
sys.exit(1 if faults else 0)
