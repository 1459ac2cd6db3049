"""A backlog of changes, applied by Whimbrel, by MySQL's own replica, and by a dumb client that sends the same statements.

The log holds all patterns one after the other, with a marker row before the first and after each. Everybody begins
behind it, at a moment before the first change, with the same rows; the time from marker to marker at the target is the
pattern's time. So nobody's start is in the figures.
"""

import tempfile
import time
from pathlib import Path

from .follower import DEADLINE, Follower
from .measure import Run, Usage, cpu_of, quiet, run
from .results import Part
from .servers import MYSQL, OCEANBASE, SOURCE, TARGETS, Server, pids
from .settings import CHANGES, HOME, KEYS, PEERS, REPETITIONS, WORKERS

MARKER = "bench_changes.marker"
LOOK = 0.01


def measure() -> None:
    part = Part("incremental")
    for repetition in range(1, REPETITIONS + 1):
        run("tables", [PEERS, "tables", SOURCE.url, KEYS])
        with tempfile.TemporaryDirectory(dir=HOME) as folder:
            followers = {name: Follower(target, Path(folder) / target.name) for name, target in TARGETS.items()}
            for name, follower in followers.items():
                begin(follower)
            began = SOURCE.sql("SELECT @@GLOBAL.gtid_executed")[0][0].replace("\n", "")
            size = logged()
            load(part, repetition)
            size = logged() - size
            for name, follower in followers.items():
                quiet(pids(follower.target))
                with follower:
                    apply(part, name, repetition, follower, size)
        quiet(pids(MYSQL))
        replica(part, repetition, began)
        quiet(pids(OCEANBASE))
        dumb_client(part, repetition)


def begin(follower: Follower) -> None:
    """Fixes the position before the first change, and copies the rows that are there."""
    follower.target.drop("bench_changes", "whimbrel")
    with follower:
        follower.ready()
        follower.stop()


def load(part: Part, repetition: int) -> None:
    """Writes the backlog: what the source itself needs for it is shown beside."""
    mark(SOURCE, 0)
    for number, (pattern, changes) in enumerate(CHANGES.items(), 1):
        done = run("load", [PEERS, "replay", SOURCE.url, pattern, changes, WORKERS], servers={"source": SOURCE.pid})
        part.add(pattern, "the source itself", repetition, done, **speed(done.json()["changes"], done.json()["seconds"]))
        mark(SOURCE, number)


def mark(server: Server, number: int) -> None:
    server.sql(f"INSERT INTO {MARKER} VALUES ({number}, 0, '', '')")


def speed(changes: int, seconds: float) -> dict[str, float]:
    return {"changes/s": changes / seconds, "changes": changes}


def logged() -> int:
    """Bytes of the source's binary log."""
    return sum(row[1] for row in SOURCE.sql("SHOW BINARY LOGS"))


def apply(part: Part, name: str, repetition: int, follower: Follower, size: int) -> None:
    began = time.monotonic()
    follower.start(until=None)
    stretches = watch(follower.target, lambda: {"Whimbrel": follower.child.pid}, follower.alive)
    whole = Run(time.monotonic() - began)
    stored = follower.status()["store_bytes"]
    used = follower.stop()
    whole.processes["Whimbrel"] = used
    changes = sum(done_changes(pattern) for pattern in CHANGES)
    figures = speed(changes, whole.wall) | {"us/change": used.cpu / changes * 1e6, "Store/binlog": stored / size}
    part.add(f"all with the start, {name}", "Whimbrel", repetition, whole, **figures)
    for pattern, done in stretches.items():
        changes = done_changes(pattern)
        done.processes["Whimbrel"].peak_mb = used.peak_mb
        figures = speed(changes, done.wall) | {"us/change": done.processes["Whimbrel"].cpu / changes * 1e6}
        part.add(f"{pattern}, {name}", "Whimbrel", repetition, done, **figures)
    add_whole(part, name, "Whimbrel", repetition, [done.wall for done in stretches.values()])


def add_whole(part: Part, name: str, who: str, repetition: int, seconds: list[float]) -> None:
    """All patterns together, from the first marker to the last."""
    changes = sum(done_changes(pattern) for pattern in CHANGES)
    part.add(f"all, {name}", who, repetition, Run(sum(seconds)), **speed(changes, sum(seconds)))


def done_changes(pattern: str) -> int:
    """Changes of the pattern, rounded up as the load is."""
    each = {"one": 1, "hot": 1, "thousand": 1000}.get(pattern, 10)
    connections = 1 if pattern == "hot" else WORKERS
    return -(-(-(-CHANGES[pattern] // each)) // connections) * connections * each


def watch(target: Server, programs, alive) -> dict[str, Run]:
    """What was used between each two markers, by the programs, the source and the target."""
    stretches, seen, before = {}, -1, None
    patterns = list(CHANGES)
    with target.connect() as connection, connection.cursor() as cursor:
        since = time.monotonic()
        while seen < len(patterns):
            time.sleep(LOOK)
            alive()
            if time.monotonic() - since > DEADLINE:
                raise RuntimeError(f"the target has not come to marker {seen + 1} within {DEADLINE:.0f} s")
            cursor.execute(f"SELECT MAX(id) FROM {MARKER}")
            marker = cursor.fetchone()[0]
            if marker is None or marker == seen:
                continue
            now = time.monotonic(), {who: cpu_of(pid) for who, pid in (programs() | pids(target)).items()}
            # Two markers in one look are one stretch, which belongs to the first one's pattern as well.
            if before and marker == seen + 1:
                used = {who: Usage(cpu - before[1][who]) for who, cpu in now[1].items()}
                stretches[patterns[marker - 1]] = Run(now[0] - before[0], used)
            elif before:
                raise RuntimeError("two markers came at once: the patterns are too small to be told apart")
            elif marker != 0:
                raise RuntimeError("the first marker was missed")
            seen, before, since = marker, now, now[0]
    return stretches


def replica(part: Part, repetition: int, began: str) -> None:
    """MySQL's replica with four workers: the same version, from the same moment, with the same rows."""
    MYSQL.sql("STOP REPLICA", "RESET REPLICA ALL", "SET sql_log_bin = 0", "DROP DATABASE IF EXISTS bench_changes")
    run("tables", [PEERS, "tables", MYSQL.url, KEYS])
    MYSQL.sql(
        "RESET BINARY LOGS AND GTIDS",
        f"SET GLOBAL gtid_purged = '{began}'",
        f"CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1', SOURCE_PORT = {SOURCE.port}, SOURCE_USER = 'root',"
        " SOURCE_AUTO_POSITION = 1, SOURCE_SSL = 0",
        "START REPLICA",
    )

    def alive() -> None:
        states = MYSQL.sql("SHOW REPLICA STATUS")[0]
        if "No" in (states[10], states[11]):
            raise RuntimeError(f"the replica stopped: {states[19]} {states[37]}")

    try:
        stretches = watch(MYSQL, dict, alive)
        for pattern, done in stretches.items():
            figures = speed(done_changes(pattern), done.wall)
            part.add(f"{pattern}, MySQL 9.7", "MySQL replica", repetition, done, **figures)
        add_whole(part, "MySQL 9.7", "MySQL replica", repetition, [done.wall for done in stretches.values()])
    finally:
        MYSQL.sql("STOP REPLICA", "RESET REPLICA ALL")


def dumb_client(part: Part, repetition: int) -> None:
    OCEANBASE.drop("bench_changes")
    run("tables", [PEERS, "tables", OCEANBASE.url, KEYS])
    walls = []
    for pattern, changes in CHANGES.items():
        command = [PEERS, "replay", OCEANBASE.url, pattern, changes, WORKERS]
        done = run("dumb client", command, servers={"target": OCEANBASE.pid})
        figures = speed(done.json()["changes"], done.json()["seconds"])
        part.add(f"{pattern}, OceanBase", "dumb client", repetition, done, **figures)
        walls.append(done.json()["seconds"])
    add_whole(part, "OceanBase", "dumb client", repetition, walls)
