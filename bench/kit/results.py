"""Results: one line of JSON for each repetition, in a file for each part. A new run of a part replaces its file."""

import json
import sys
from collections import defaultdict
from pathlib import Path

from .measure import Run
from .settings import RESULTS


class Part:
    """What a part of the run has measured."""

    def __init__(self, name: str):
        self.path = RESULTS / f"{name}.jsonl"
        RESULTS.mkdir(parents=True, exist_ok=True)
        self.file = open(self.path, "w")

    def add(self, case: str, who: str, repetition: int, run: Run, **figures: float) -> None:
        """`case` is the work, `who` did it, and `figures` are what it is compared by."""
        record = {
            "case": case,
            "who": who,
            "repetition": repetition,
            "wall": round(run.wall, 3),
            "figures": {name: round(value, 4) for name, value in figures.items()},
            "processes": {
                name: {"cpu": round(used.cpu, 2), "peak_mb": round(used.peak_mb, 1)}
                for name, used in run.processes.items()
            },
        }
        print(json.dumps(record), file=self.file, flush=True)
        shown = ", ".join(f"{name} {value:,.6g}" for name, value in figures.items())
        used = ", ".join(f"{name} {used.cpu:.1f} CPU-s {used.peak_mb:.0f} MB" for name, used in run.processes.items())
        print(f"{case:28} {who:26} {repetition}: {run.wall:7.2f} s; {shown}; {used}", file=sys.stderr, flush=True)

    def note(self, case: str, who: str, text: str) -> None:
        """Why there is no figure."""
        print(json.dumps({"case": case, "who": who, "note": text}), file=self.file, flush=True)
        print(f"{case:28} {who:26} {text}", file=sys.stderr, flush=True)


def read(name: str, folder: Path = RESULTS) -> dict[tuple[str, str], list[dict]]:
    """The repetitions of each case and who, in the order in which they were measured."""
    found = defaultdict(list)
    path = folder / f"{name}.jsonl"
    if path.exists():
        for line in path.read_text().splitlines():
            record = json.loads(line)
            found[record["case"], record["who"]].append(record)
    return dict(found)


def figure(records: list[dict], name: str) -> list[float]:
    return [record["figures"][name] for record in records if name in record.get("figures", {})]
