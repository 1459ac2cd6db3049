"""The Store: appending and reading back, beside plain writes of the same bytes with as many calls of fdatasync."""

import re
import tempfile

from .measure import Run, run
from .results import Part
from .settings import HOME, RELEASE, REPETITIONS, STORE_MB

TITLE = re.compile(r"transactions of (.+): \d+ MB")
LINE = re.compile(r"\s+(plain|Zstd\(1\)  append|Zstd\(1\)  read)\s+([\d.]+) MB/s wall,\s+([\d.]+) MB per CPU-second")
RATIO = re.compile(r"ratio ([\d.]+)")
WHO = {"plain": "write + fdatasync", "Zstd(1)  append": "Store, append", "Zstd(1)  read": "Store, read back"}


def measure() -> None:
    part = Part("store")
    for repetition in range(1, REPETITIONS + 1):
        with tempfile.TemporaryDirectory(dir=HOME) as folder:
            done = run("append_speed", [RELEASE / "examples" / "append_speed", STORE_MB, folder])
        case = ""
        for line in done.output.splitlines():
            if title := TITLE.match(line):
                case = f"transactions of {title[1]}"
            elif found := LINE.match(line):
                figures = {"MB/s": float(found[2]), "MB/CPU-s": float(found[3])}
                if ratio := RATIO.search(line):
                    figures["size"] = 1 / float(ratio[1])
                part.add(case, WHO[found[1]], repetition, Run(), **figures)
        part.add("all of these", "append_speed", repetition, done)
