"""The goals, and whether the results reach them. A goal compares medians."""

import statistics
from dataclasses import dataclass

from . import results
from .settings import CHANGES

PARTS = ["decode", "store", "ddl", "import", "verify", "incremental", "lag", "memory", "growth", "plan"]
MEMORY_MB = 256


@dataclass
class Goal:
    work: str
    ours: str
    beside: str
    ratio: str
    goal: str
    reached: bool


def shown(value: float) -> str:
    """Three digits, with commas: a figure has no more."""
    if value >= 100:
        digits = len(str(int(value))) - 3
        return f"{round(value / 10**digits) * 10**digits:,.0f}"
    return f"{value:.3g}"


def median(part: dict, case: str, who: str, figure: str) -> float | None:
    found = results.figure(part.get((case, who), []), figure)
    return statistics.median(found) if found else None


def against(work: str, part: dict, figure: str, ours: tuple, peer: tuple, least: float) -> list[Goal]:
    """Our median of a figure is to be at least so much of the peer's."""
    mine, other = median(part, *ours, figure), median(part, *peer, figure)
    if mine is None or other is None:
        return []
    ratio = mine / other
    beside = f"{peer[1]}: {shown(other)} {figure}"
    return [Goal(work, f"{shown(mine)} {figure}", beside, f"{ratio:.2f}", f"at least {least:g}", ratio >= least)]


def limit(work: str, value: float | None, unit: str, most: float | None = None, least: float | None = None) -> list[Goal]:
    """A figure is to be at most, or at least, so much."""
    if value is None:
        return []
    goal = f"at most {shown(most)}" if most is not None else f"at least {shown(least)}"
    reached = value <= most if most is not None else value >= least
    return [Goal(work, f"{shown(value)} {unit}", "", "", f"{goal} {unit}", reached)]


def all_goals() -> list[Goal]:
    read = {name: results.read(name) for name in PARTS}
    goals = decode(read["decode"]) + store(read["store"], read["incremental"])
    goals += imports(read["import"]) + incremental(read["incremental"]) + lag(read["lag"])
    slower = min(
        (f"SELECT * at the {side}" for side in ("source", "target")),
        key=lambda who: median(read["verify"], "OceanBase", who, "rows/s") or 0,
    )
    pair = ("OceanBase", "Whimbrel"), ("OceanBase", slower)
    goals += against("verification, OceanBase", read["verify"], "rows/s", *pair, 0.8)
    return goals + memory(read) + growth(read["growth"], read["plan"])


def decode(part: dict) -> list[Goal]:
    ours, case = ("binlog file", "Whimbrel"), "binlog file"
    goals = against("binlog decode", part, "rows/CPU-s", ours, (case, "mysql_common"), 10)
    goals += limit("binlog decode", median(part, *ours, "rows/CPU-s"), "rows/CPU-s", least=1_500_000)
    return goals + limit("binlog decode", median(part, *ours, "MB/CPU-s"), "MB/CPU-s", least=250)


def store(part: dict, incremental: dict) -> list[Goal]:
    goals = []
    for case in dict.fromkeys(case for case, _ in part):
        for what in ("append", "read back"):
            peer = (case, "write + fdatasync")
            goals += against(f"Store, {case}", part, "MB/s", (case, f"Store, {what}"), peer, 0.5)
    size = median(incremental, "all with the start, OceanBase", "Whimbrel", "Store/binlog")
    return goals + limit("Store, size of the backlog", size, "of the binlog's size", most=0.4)


def imports(part: dict) -> list[Goal]:
    goals = []
    for name, least in (("OceanBase", 1.0), ("MySQL 9.7", 1.5)):
        ours, work = (name, "Whimbrel"), f"full import, {name}"
        if name == "OceanBase":
            goals += against(work, part, "rows/s", ours, (name, "dumb client"), 0.9)
        goals += against(work, part, "rows/s", ours, (name, "mydumper + myloader"), least)
        goals += limit(f"{work}: our CPU", median(part, *ours, "us/row"), "us/row", most=2)
    return goals


def incremental(part: dict) -> list[Goal]:
    goals = []
    for name, peer, least in (("MySQL 9.7", "MySQL replica", 3), ("OceanBase", "dumb client", 0.8)):
        for pattern in [*CHANGES, "all"]:
            case = f"{pattern}, {name}"
            goals += against(f"incremental, {case}", part, "changes/s", (case, "Whimbrel"), (case, peer), least)
    return goals


def lag(part: dict) -> list[Goal]:
    goals = []
    for name in ("OceanBase", "MySQL 9.7"):
        load = median(part, name, "Whimbrel", "changes/s")
        work = f"lag at {shown(load or 0)} changes/s, {name}"
        goals += limit(f"{work}: p50", median(part, name, "Whimbrel", "p50_ms"), "ms", most=200)
        goals += limit(f"{work}: p99", median(part, name, "Whimbrel", "p99_ms"), "ms", most=1000)
    return goals


def memory(read: dict) -> list[Goal]:
    goals = []
    for name, part in read.items():
        peaks = {}
        for (case, _), records in part.items():
            for record in records:
                used = record.get("processes", {}).get("Whimbrel")
                if used and used["peak_mb"]:
                    key = case if name == "memory" else name
                    peaks[key] = max(peaks.get(key, 0), used["peak_mb"])
        for case, peak in peaks.items():
            goals += limit(f"memory: {case}", peak, "MB", most=MEMORY_MB)
    return goals


def growth(part: dict, plan: dict) -> list[Goal]:
    goals = []
    sizes = [
        (records[0]["figures"]["rows"], records[0]["wall"])
        for (case, _), records in part.items()
        if case.startswith("1 table of")
    ]
    for (rows, wall), (more, longer) in zip(sizes, sizes[1:]):
        factor = (longer / more) / (wall / rows)
        work = f"growth: from {rows:,.0f} to {more:,.0f} rows, time of a row"
        goals += limit(work, factor, "times", most=1.2)
    for (case, who), _ in plan.items():
        if who == "Whimbrel":
            # The goal is 30 s for 10,000 tables.
            most = 30 * int(case.split()[0].replace(",", "")) / 10_000
            goals += limit(f"plan of {case}", median(plan, case, who, "seconds"), "s", most=most)
    return goals
