"""How the time of a full import into OceanBase grows with tables and with rows. The part `plan` has far more tables."""

import tempfile

from . import data
from .measure import quiet, run
from .results import Part
from .servers import OCEANBASE, SOURCE, pids
from .settings import GROWTH_ROWS, HOME

DATABASE = "bench_growth"
ROWS_OF_A_TABLE = 2000


def measure() -> None:
    part = Part("growth")
    for tables in (1, 10, 100):
        one(part, f"tables: {tables}, each of {ROWS_OF_A_TABLE:,} rows", tables, ROWS_OF_A_TABLE)
    for rows in GROWTH_ROWS:
        one(part, f"1 table of {rows:,} rows", 1, rows)


def one(part: Part, case: str, tables: int, rows: int) -> None:
    fill(tables, rows)
    OCEANBASE.drop(DATABASE, "whimbrel")
    quiet(pids(OCEANBASE))
    with tempfile.TemporaryDirectory(dir=HOME) as home:
        command = data.migrate(OCEANBASE, *data.include([DATABASE]), "--steps", "schema,full", home=home)
        done = run("Whimbrel", command, servers=pids(OCEANBASE))
    figures = {"tables": tables, "rows": tables * rows, "rows/s": tables * rows / done.wall}
    part.add(case, "Whimbrel", 1, done, **figures)
    SOURCE.drop(DATABASE)
    OCEANBASE.drop(DATABASE)


def fill(tables: int, rows: int) -> None:
    SOURCE.drop(DATABASE)
    statements = [f"CREATE DATABASE {DATABASE}", f"USE {DATABASE}", f"SET SESSION cte_max_recursion_depth = {rows + 1}"]
    for table in range(tables):
        statements += [
            f"CREATE TABLE t{table} (id INT NOT NULL PRIMARY KEY, k INT NOT NULL, c CHAR(120) NOT NULL,"
            " pad CHAR(60) NOT NULL)",
            f"INSERT INTO t{table} WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < {rows})"
            " SELECT i, i % 1000, RPAD(SHA2(i, 512), 119, '-'), LEFT(SHA2(i, 256), 59) FROM n",
        ]
    SOURCE.sql(*statements)
