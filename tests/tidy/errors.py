#!/usr/bin/env python3
"""Every error code in src/ is explained in docs/errors.md, and nothing is explained there that no longer exists."""
import pathlib
import re
import sys

root = pathlib.Path(__file__).resolve().parents[2]
# Texts of the same form that are no codes: files, classes and fields of ledger records, examples.
not_codes = {
    "token.json",
    "store.db", "store.lock", "store.reserve", "next.seg", "next.tmp", "lobby.css", "connector-key.pem",
    "connector-certificate.pem", "base.cedar", "shop.cedarschema", "idp.xbb", "xbb.localhost", "room.what-went-wrong",
    "p.cedar", "store.commit", "store.author", "store.leaf", "store.leaves", "store.rev", "store.opaque",
    "app.withdraw", "partner.suspend", "partner.resume", "partner.isolate", "partner.rejoin", "mission.told", "delegation.known", "mission.word", "mission.end", "connector.enrol", "connector.expect", "connector.cut", "offers.heard", "node.stop", "session.cut",
    "sign-in.refused", "request.withdrawn", "request.refused", "request.denied", "request.state", "request.facts", "ledger.disclosed", "approval.refused", "approval.lapsed",
    "grant.revoked", "delegation.ended", "access.tidied", "lobby.js", "index.html", "a.example",
    "key.attempt", "key.release", "key.withheld", "key.refusal", "key.passed", "key.refusals", "object.recall", "object.recall-lifted", "object.view", "object.shut", "objects.js",
    "release.asked", "release.proposed", "release.approved", "release.denied", "release.revoked", "key-service.keys", "clock.accepted", "change.undone",
}
literal = re.compile(r'"([a-z][a-z0-9]*(?:-[a-z0-9]+)*\.[a-z0-9]+(?:[-_][a-z0-9]+)*)"')
# Codes put together from a room and a word: file, how the word stands there, what stands before it.
built = [("src/ledger/verify.cpp", re.compile(r'\bfault\(\s*"([a-z-]+)"'), "ledger.")]
# Rules that verdicts name; they are in the page's last table.
rules = [
    ("src/coalition/decide.cpp", re.compile(r'(?:\brefuse\(|\brule = )\s*"([a-z-]+)"')),
    ("src/coalition/decide_access.cpp", re.compile(r'\brefuse\(\s*"([a-z-]+)"')),
    ("src/coalition/decide_object.cpp", re.compile(r'\brefuse\(\s*"([a-z-]+)"')),
    ("src/coalition/object_view.cpp", re.compile(r'\bwrong\(\s*"([a-z-]+)"')),
    ("src/coalition/opinion.cpp", re.compile(r'\bplain\(\s*"([a-z-]+)"')),
]
in_source = {}
for path in sorted((root / "src").rglob("*")):
    if path.suffix not in {".h", ".cpp"} or path.stem.endswith(("_test", "_fuzz", "_testing")) or "for_test" in path.stem:
        continue
    for number, line in enumerate(path.read_text().splitlines(), 1):
        code = line if re.match(r"\s*#include", line) is None else ""
        for found in literal.findall(re.sub(r"(^|\s)//.*", "", code)):
            if found not in not_codes:
                in_source.setdefault(found, f"{path.relative_to(root)}:{number}")
for name, pattern, before in built:
    for word in pattern.findall((root / name).read_text()):
        in_source.setdefault(before + word, name)
page = (root / "docs/errors.md").read_text()
in_page = re.findall(r"^\| `([a-z0-9-]+\.[a-z0-9_-]+)` \|", page, re.M)
faults = [f"{place}: {code} is not in docs/errors.md" for code, place in sorted(in_source.items()) if code not in in_page]
faults += [f"docs/errors.md: {code} is nowhere in src" for code in sorted(set(in_page) - set(in_source))]
faults += [f"docs/errors.md: {code} stands twice" for code in sorted({c for c in in_page if in_page.count(c) > 1})]
for name, pattern in rules:
    for rule in sorted(set(pattern.findall((root / name).read_text()))):
        if f"`{rule}`" not in page:
            faults.append(f"{name}: the rule {rule} is not in docs/errors.md")
for fault in faults:
    print(fault)
print(f"errors: {len(faults)} faults in {len(in_source)} codes")
sys.exit(1 if faults else 0)
