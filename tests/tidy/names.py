#!/usr/bin/env python3
"""What pages name of the code is there by that name: files, `Api::call`, `sight_of`, and "`clock.cpp` `notes`" in that file."""
import pathlib
import re
import sys

root = pathlib.Path(__file__).resolve().parents[2]
pages = ["ARCHITECTURE.md", "docs/bounds.md", "docs/threat-model.md"]
paths = [f"/{p.relative_to(root)}" for folder in ("src", "tests", "web", "demo") for p in (root / folder).rglob("*.*")]
sources = [p for p in paths if re.fullmatch(r"/src/.*\.(h|cpp)", p)]
# What a comment alone still says is gone.
words = {p: set(re.findall(r"\w+", re.sub(r"//.*", "", (root / p[1:]).read_text()))) for p in sources}
file = re.compile(r"[\w/]+\.(?:h|cpp|mjs|js|ts|py)")
code = re.compile(r"((?:[A-Za-z_]\w*::)*[A-Za-z_]\w*)(?:\([\w, ]*\))?")
marks = re.compile(r"::|\(|_|[a-z][A-Z]|^[A-Z][a-z]")  # of a name of the code among what else looks like one word
not_there = {"thing_test.cpp", "thing_fuzz.cpp"} | {f"{p.name}_test" for p in (root / "src").iterdir()}  # examples, programs
faults = []
seen = 0
for page in pages:
    for number, line in enumerate((root / page).read_text().splitlines(), 1):
        near, gap, end = sources, "", 0  # where the next name is looked for, if no more than `gap` parts it from the last
        for found in re.finditer(r"`([^`]+)`", line):
            span, named = found.group(1), code.fullmatch(found.group(1))
            if line[end : found.start()] != gap:
                near = sources
            end = found.end()
            if file.fullmatch(span) and span not in not_there:
                seen, near, gap = seen + 1, [p for p in sources if p.endswith("/" + span)] or sources, " "
                if not any(p.endswith("/" + span) for p in paths):
                    faults.append(f"{page}:{number}: there is no {span}")
            elif named and span not in not_there and (near is not sources or marks.search(span)):
                seen, gap = seen + 1, ", "
                wanted = set(named.group(1).split("::")[-2:])
                if not any(wanted <= words[p] for p in near):
                    faults.append(f"{page}:{number}: {span} is not in {'src' if near is sources else ' or '.join(p[1:] for p in near)}")
for fault in faults:
    print(fault)
print(f"names: {len(faults)} faults in {seen} names of {len(pages)} pages")
sys.exit(1 if faults else 0)
