#!/usr/bin/env python3
"""Rules that nobody runs rot: line length, file length, banned calls and words, per docs and style."""
import pathlib
import re
import subprocess
import sys

root = pathlib.Path(__file__).resolve().parents[2]
LINE_MAX = 120
FILE_MAX = 700
banned_calls = {
    r"\b(strcpy|strcat|sprintf|gets|system|popen|rand|atoi)\s*\(": "use the bounded or typed form",
    r"\busing namespace std\b": "name what you use",
    r"\b(assert)\s*\(": "use ENTENTE_CHECK or ENTENTE_DCHECK",
}
banned_words = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
faults = []
listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, check=False).stdout.decode().split("\0")
names = [n for n in listed if n] or [str(p.relative_to(root)) for p in root.rglob("*") if p.is_file()]
for name in names:
    path = root / name
    if not path.is_file() or path.suffix not in {".h", ".cpp", ".mjs", ".js", ".ts", ".tsx", ".py", ".css", ".html"}:
        continue
    if name == "tests/tidy/style.py":
        continue
    lines = path.read_text().splitlines()
    if name.startswith("src/") and len(lines) > FILE_MAX:
        faults.append(f"{name}: {len(lines)} lines: this is usually two things")
    for number, line in enumerate(lines, 1):
        place = f"{name}:{number}"
        if path.suffix in {".h", ".cpp"} and len(line) > LINE_MAX and "R\"(" not in line and '"' not in line:
            faults.append(f"{place}: longer than {LINE_MAX}")
        if banned_words.search(line):
            faults.append(f"{place}: unfinished work is an issue, not a comment")
        if path.suffix in {".h", ".cpp"} and name.startswith("src/"):
            code = line.split("//")[0]
            for pattern, advice in banned_calls.items():
                if re.search(pattern, code) and "static_assert" not in code:
                    faults.append(f"{place}: {advice}: {code.strip()[:60]}")
        if re.search(r"[\x00-\x08\x0b-\x1f]", line):
            faults.append(f"{place}: control character")
# Whoever installs chooses the registry: the lock file names versions and digests, and no host.
for name in names:
    if name.endswith("package-lock.json") and re.search(r'"resolved"|https?://[^"]*\.tgz', (root / name).read_text()):
        faults.append(f"{name}: names where packages come from; leave \"resolved\" out (npm config omit-lockfile-registry-resolved)")
for fault in faults:
    print(fault)
print(f"style: {len(faults)} faults in {len(names)} files")
sys.exit(1 if faults else 0)
