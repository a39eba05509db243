"""Figures: CPU time and memory of processes, medians, the printed table, and the file they are kept in."""
import datetime
import json
import os
import pathlib
import re
import statistics


def cpu_seconds(pids):
    """User and system time of all threads of these processes, to the nanosecond (schedstat)."""
    total = 0
    for pid in pids:
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            try:
                total += int((task / "schedstat").read_text().split()[0])
            except (FileNotFoundError, ProcessLookupError):
                pass  # the thread ended between the listing and the reading
    return total / 1e9


def rss_bytes(pids):
    total = 0
    for pid in pids:
        found = re.search(r"^VmRSS:\s+(\d+) kB", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M)
        total += int(found[1]) * 1024
    return total


def children_of(pid):
    out = []
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        out += [int(child) for child in (task / "children").read_text().split()]
    return out


def descendants_of(pid):
    return [each for child in children_of(pid) for each in (child, *descendants_of(child))]


def median(values):
    return statistics.median(values)


class Report:
    """Rows are (what, ours, peer, ratio or margin, target). Prints them, and keeps everything as JSON."""

    def __init__(self, folder):
        self.folder = folder
        self.rows = []
        self.details = {}

    def row(self, what, ours, peer, result, target=""):
        self.rows.append((what, ours, peer, result, target))
        print("  " + " | ".join(cell for cell in self.rows[-1] if cell), flush=True)

    def detail(self, name, value):
        self.details[name] = value

    def end(self):
        header = ("what", "ours", "peer", "result", "target")
        lines = [header, *self.rows]
        widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
        print()
        for line in lines:
            print("| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) + " |")
            if line is header:
                print("|" + "|".join("-" * (width + 2) for width in widths) + "|")
        model = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
        kept = {
            "at": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            "machine": {"cpu": model[1] if model else "", "cores": os.cpu_count(), "load": os.getloadavg()},
            "rows": self.rows,
            "details": self.details,
        }
        path = pathlib.Path(self.folder) / "bench.json"
        path.write_text(json.dumps(kept, indent=1) + "\n")
        print(f"\nAll figures: {path}")
