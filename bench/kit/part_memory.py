"""Memory of our process where it could grow: one huge transaction, and rows of 1 MB. The plan of many tables and all other
parts hold our peak memory too."""

import tempfile
from pathlib import Path

from . import data
from .follower import Follower
from .measure import Watch, quiet, run
from .part_incremental import mark
from .results import Part
from .servers import OCEANBASE, SOURCE, pids
from .settings import HOME, PEERS, TRANSACTION_MB, WIDE_ROWS

WIDE = 1 << 20


def measure() -> None:
    part = Part("memory")
    transaction(part)
    wide_rows(part)


def transaction(part: Part) -> None:
    """One transaction of so many megabytes of rows in the log, applied while the task follows."""
    rows = TRANSACTION_MB * 1_000_000 // 200
    run("tables", [PEERS, "tables", SOURCE.url, 0])
    OCEANBASE.drop("bench_changes", "whimbrel")
    with tempfile.TemporaryDirectory(dir=HOME) as folder, Follower(OCEANBASE, Path(folder)) as follower:
        follower.ready()
        follower.stop()
        SOURCE.sql(
            "USE bench_changes",
            f"SET SESSION cte_max_recursion_depth = {rows + 1}",
            "INSERT INTO bench_changes.one WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL"
            f" SELECT i + 1 FROM n WHERE i < {rows}) SELECT i, i % 1000, RPAD(SHA2(i, 512), 119, '-'),"
            " LEFT(SHA2(i, 256), 59) FROM n",
        )
        mark(SOURCE, 0)
        quiet(pids(OCEANBASE))
        watch = Watch(pids(OCEANBASE))
        follower.start(until=None)
        follower.wait("the marker", lambda: OCEANBASE.sql("SELECT COUNT(*) FROM bench_changes.marker")[0][0])
        done = watch.end()
        done.processes["Whimbrel"] = follower.stop()
    part.add(f"a transaction of {TRANSACTION_MB} MB", "Whimbrel", 1, done, **{"rows/s": rows / done.wall})


def wide_rows(part: Part) -> None:
    """The full import of a table whose rows have 1 MB each."""
    SOURCE.drop("bench_wide")
    OCEANBASE.drop("bench_wide", "whimbrel")
    SOURCE.sql(
        "CREATE DATABASE bench_wide",
        "CREATE TABLE bench_wide.t (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, body LONGBLOB NOT NULL)",
        *(f"INSERT INTO bench_wide.t (body) VALUES (REPEAT(RANDOM_BYTES(1024), {WIDE // 1024}))" for _ in range(WIDE_ROWS)),
    )
    quiet(pids(OCEANBASE))
    with tempfile.TemporaryDirectory(dir=HOME) as home:
        command = data.migrate(OCEANBASE, *data.include(["bench_wide"]), "--steps", "schema,full", home=home)
        done = run("Whimbrel", command, servers=pids(OCEANBASE))
    part.add(f"{WIDE_ROWS} rows of 1 MB", "Whimbrel", 1, done, **{"MB/s": WIDE_ROWS / done.wall})
    SOURCE.drop("bench_wide")
    OCEANBASE.drop("bench_wide")
