"""Reading a binlog file of sysbench rows: our decoder beside the crate mysql_common and beside mysqlbinlog, which prints
nothing that anybody looks at. And our parser of the data definition language, which has no peer here."""

import re
import shutil

from .measure import run
from .results import Part
from .servers import SOURCE, programs
from .settings import DECODE_ROWS, HOME, PEERS, RELEASE, REPETITIONS, ROOT

LINE = re.compile(r"round \d+: (\d+) rows .* ([\d.]+) MB, ([\d.]+) CPU-s")


def measure() -> None:
    part = Part("decode")
    path = binlog()
    size = path.stat().st_size / 1e6
    for repetition in range(1, REPETITIONS + 1):
        done = run("decode_speed", [RELEASE / "examples" / "decode_speed", path, 1])
        rows, _, seconds = (float(text) for text in LINE.search(done.output).groups())
        add(part, "Whimbrel", repetition, done, rows, size, seconds)
        done = run("mysql_common", [PEERS, "decode", path])
        add(part, "mysql_common", repetition, done, rows, size, done.json()["cpu"])
        done = run("mysqlbinlog", [programs() / "mysqlbinlog", "--no-defaults", path], to="/dev/null")
        add(part, "mysqlbinlog", repetition, done, rows, size, done.processes["mysqlbinlog"].cpu)
    path.unlink()


def add(part: Part, who: str, repetition: int, done, rows: float, size: float, seconds: float) -> None:
    seconds = max(seconds, 0.001)
    part.add("binlog file", who, repetition, done, **{"rows/CPU-s": rows / seconds, "MB/CPU-s": size / seconds})


def binlog():
    """A file with rows inserted and a third of them updated, and with the table's definition."""
    copy = HOME / "binlog"
    SOURCE.drop("bench_decode")
    SOURCE.sql(
        "FLUSH BINARY LOGS",
        "CREATE DATABASE bench_decode",
        "USE bench_decode",
        "CREATE TABLE bench_decode.sbtest1 (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, k INT NOT NULL DEFAULT 0,"
        " c CHAR(120) NOT NULL DEFAULT '', pad CHAR(60) NOT NULL DEFAULT '', KEY k_1 (k))",
        f"SET SESSION cte_max_recursion_depth = {DECODE_ROWS + 1}",
        "INSERT INTO bench_decode.sbtest1 (k, c, pad) WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL"
        f" SELECT i + 1 FROM n WHERE i < {DECODE_ROWS}) SELECT FLOOR(RAND(7) * {DECODE_ROWS}),"
        " RPAD(SHA2(i, 512), 119, '-'), LEFT(SHA2(i, 256), 59) FROM n",
        "UPDATE bench_decode.sbtest1 SET k = k + 1 WHERE id % 3 = 0",
    )
    name = SOURCE.sql("SHOW BINARY LOG STATUS")[0][0]
    SOURCE.sql("FLUSH BINARY LOGS")
    shutil.copyfile(SOURCE.data / name, copy)
    SOURCE.drop("bench_decode")
    return copy


def measure_ddl() -> None:
    part = Part("ddl")
    corpus = ROOT / "crates" / "mysql-ddl"
    for repetition in range(1, REPETITIONS + 1):
        done = run("parse_speed", [RELEASE / "examples" / "parse_speed"], folder=corpus)
        found = re.search(r"statements: ([\d.]+) MB/s, .* (\d+) statements/s", done.output)
        figures = {"MB/s": float(found[1]), "statements/s": float(found[2])}
        part.add("DDL of the corpus", "Whimbrel", repetition, done, **figures)
