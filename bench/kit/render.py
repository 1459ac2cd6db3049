"""Makes docs/benchmarks.md and docs/benchmarks.svg of the results that are there."""

import importlib
import statistics
from collections import defaultdict

from . import chart, goals, machine, results
from .goals import PARTS, shown
from .settings import ROOT

TITLES = {
    "decode": "Reading the binlog",
    "store": "Store",
    "ddl": "DDL parser",
    "import": "Full import",
    "verify": "Verification",
    "incremental": "Incremental",
    "lag": "Lag",
    "memory": "Memory",
    "growth": "Growth",
    "plan": "Plan",
}
INTRODUCTION = """# Measurements

Made by `bench/run` ([what it does](../bench/README.md)); don't edit. A figure is the median of all repetitions, with the
smallest and the largest one in brackets. CPU time is user and system time of a process with all its threads, memory its
largest resident size; source and target are the servers. All of them shared one machine, and so its cores."""


def write() -> None:
    found = {name: results.read(name) for name in PARTS}
    if not any(found.values()):
        return
    lines = [INTRODUCTION, "", *about(machine.read()), "", *reached(), "", *limits(), ""]
    lines += ["![Speed of each work beside its peers](benchmarks.svg)", ""]
    for name, records in found.items():
        if records:
            lines += [f"## {TITLES[name]}", "", explanation(name), "", *table(records), ""]
    (ROOT / "docs" / "benchmarks.md").write_text("\n".join(lines).rstrip() + "\n")
    (ROOT / "docs" / "benchmarks.svg").write_text(chart.draw(found))


def about(facts: dict) -> list[str]:
    if not facts:
        return []
    rows = [
        ("machine", f"{facts['cores']} cores, {facts['processor']}, {facts['memory']} memory, Linux {facts['kernel']}"),
        ("made", f"{facts['time']}, commit {facts['commit']}, load {facts['load']} at the begin"),
        *((f"version: {name}", version) for name, version in facts["versions"].items()),
        *((f"settings: {name}", text) for name, text in facts["settings"].items()),
        ("sizes", ", ".join(f"{name} {sizes(value)}" for name, value in facts["sizes"].items())),
    ]
    return ["| | |", "|---|---|", *(f"| {name} | {text} |" for name, text in rows)]


def sizes(value) -> str:
    if isinstance(value, dict):
        return " ".join(f"{name}={count}" for name, count in value.items())
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def reached() -> list[str]:
    lines = ["## Goals", "", "| work | Whimbrel | beside | ratio | goal | reached |", "|---|--:|--:|--:|--:|---|"]
    for goal in goals.all_goals():
        mark = "yes" if goal.reached else "**no**"
        lines.append(f"| {goal.work} | {goal.ours} | {cell(goal.beside)} | {goal.ratio} | {goal.goal} | {mark} |")
    return lines


def limits() -> list[str]:
    """What a person has found out with a profiler about each goal."""
    return (ROOT / "bench" / "limits.md").read_text().splitlines()


def explanation(part: str) -> str:
    module = importlib.import_module(".part_decode" if part == "ddl" else f".part_{part}", __package__)
    if part == "ddl":
        return "Parsing the statements of the corpus of `crates/mysql-ddl`; it has no peer here."
    return module.__doc__.strip()


def cell(text: str) -> str:
    return text.replace("|", "\\|")


def spread(values: list[float]) -> str:
    if not values:
        return ""
    middle = shown(statistics.median(values))
    return middle if len(values) == 1 else f"{middle} ({shown(min(values))} - {shown(max(values))})"


def table(records: dict) -> list[str]:
    lines = ["| work | program | figures | wall s | CPU s | peak MB | source CPU s | target CPU s | target peak MB |"]
    lines.append("|---|---|---|--:|--:|--:|--:|--:|--:|")
    for (case, who), repetitions in records.items():
        notes = [record["note"] for record in repetitions if "note" in record]
        measured = [record for record in repetitions if "note" not in record]
        if not measured:
            lines.append(f"| {case} | {cell(who)} | {notes[0]} | | | | | | |")
            continue
        figures = defaultdict(list)
        for record in measured:
            for name, value in record["figures"].items():
                figures[name].append(value)
        texts = [f"{spread(values)} {name}" for name, values in figures.items()]
        walls = spread([record["wall"] for record in measured if record["wall"]])
        lines.append(f"| {case} | {cell(who)} | {', '.join(texts)} | {walls} | {processes(measured)} |")
    return lines


def processes(measured: list[dict]) -> str:
    """CPU and memory of the programs, added up, and of the servers."""
    servers = ("source", "target")
    used = [record["processes"] for record in measured]

    def column(pick) -> str:
        values = [sum(pick(one)) for one in used if list(pick(one))]
        return shown(statistics.median(values)) if values and max(values) > 0 else ""

    columns = [
        column(lambda one: [usage["cpu"] for name, usage in one.items() if name not in servers]),
        column(lambda one: [usage["peak_mb"] for name, usage in one.items() if name not in servers]),
        column(lambda one: [usage["cpu"] for name, usage in one.items() if name == "source"]),
        column(lambda one: [usage["cpu"] for name, usage in one.items() if name == "target"]),
        column(lambda one: [usage["peak_mb"] for name, usage in one.items() if name == "target"]),
    ]
    return " | ".join(columns)
