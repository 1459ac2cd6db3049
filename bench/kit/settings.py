"""Sizes and places, from the environment. The names stand in README.md."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
HOME = Path(os.environ.get("BENCH_HOME", ROOT / ".bench"))
RESULTS = Path(os.environ.get("BENCH_RESULTS", HOME / "results"))
RELEASE = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
WHIMBREL = Path(os.environ.get("BENCH_BIN", RELEASE / "whimbrel"))
PEERS = RELEASE / "whimbrel-bench"
DIST = Path(os.environ["WHIMBREL_SERVERS_DIST"])


def number(name: str, default: int) -> int:
    return int(os.environ.get(name) or default)


REPETITIONS = number("BENCH_REPETITIONS", 3)
WORKERS = number("BENCH_WORKERS", 4)
ROWS = number("BENCH_ROWS", 500_000)
SCALE = os.environ.get("BENCH_SCALE") or "0.05"
DECODE_ROWS = number("BENCH_DECODE_ROWS", 300_000)
STORE_MB = number("BENCH_STORE_MB", 256)
KEYS = number("BENCH_KEYS", 100_000)
LAG_SECONDS = number("BENCH_LAG_SECONDS", 15)
LAG_RATE = number("BENCH_LAG_RATE", 0)
TRANSACTION_MB = number("BENCH_TRANSACTION_MB", 128)
WIDE_ROWS = number("BENCH_WIDE_ROWS", 200)
TABLES = number("BENCH_TABLES", 3_000)
GROWTH_ROWS = [int(rows) for rows in (os.environ.get("BENCH_GROWTH_ROWS") or "100000 1000000").split()]

# Changes of each pattern. One number in BENCH_CHANGES sets all of them.
CHANGES = {"one": 20_000, "ten": 50_000, "thousand": 200_000, "hot": 10_000, "updates": 50_000, "deletes": 50_000}
if os.environ.get("BENCH_CHANGES"):
    CHANGES = {pattern: int(os.environ["BENCH_CHANGES"]) for pattern in CHANGES}
    # The delete-heavy pattern takes its keys from those that are there, and the update-heavy one a tenth of them.
    KEYS = max(KEYS, CHANGES["deletes"] * 9 // 10 + 1000)
