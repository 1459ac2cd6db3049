"""The plan of a schema of many tables with 20 columns each: what a migration needs before it can begin. Beside it two
limits of the same schema: the server's own answer about all columns, and mysqldump --no-data."""

import tempfile

from .measure import run
from .results import Part
from .servers import OCEANBASE, SOURCE, pids, programs
from .settings import HOME, REPETITIONS, TABLES, WHIMBREL

DATABASE = "bench_plan"
KINDS = [
    "INT UNSIGNED NOT NULL DEFAULT 0", "BIGINT", "VARCHAR(60) CHARACTER SET latin1 NOT NULL DEFAULT 'it''s'",
    "VARCHAR(200)", "DECIMAL(12,4)", "DATETIME(3) DEFAULT CURRENT_TIMESTAMP(3)", "TIMESTAMP NULL", "TEXT",
    "ENUM('new','paid','sent')", "TINYINT(1)", "JSON", "DOUBLE", "DATE", "VARBINARY(64)",
    "CHAR(36) CHARACTER SET ascii COLLATE ascii_bin", "BLOB", "SMALLINT", "BIT(8)",
]  # fmt: skip


def measure() -> None:
    part = Part("plan")
    make()
    case = f"{TABLES:,} tables"
    client = [programs() / "mysql", "--no-defaults", *SOURCE.client(), "--quick", "--skip-column-names"]
    columns = [*client, "-e", f"SELECT * FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = '{DATABASE}'"]
    dump = [programs() / "mysqldump", "--no-defaults", *SOURCE.client(), "--no-data", "--skip-lock-tables"]
    dump += ["--no-tablespaces", "--set-gtid-purged=OFF", "--column-statistics=0", DATABASE]
    for repetition in range(1, REPETITIONS + 1):
        with tempfile.TemporaryDirectory(dir=HOME) as home:
            plan = [WHIMBREL, "plan", "--source", SOURCE.url, "--target", OCEANBASE.url]
            plan += ["--include", f"{DATABASE}.*", "--home", home]
            add(part, case, "Whimbrel", repetition, plan)
        add(part, case, "SELECT of all columns", repetition, columns)
        if repetition == 1:
            # It takes so long that once is enough.
            add(part, case, "mysqldump --no-data", repetition, dump)
    SOURCE.drop(DATABASE)


def add(part: Part, case: str, who: str, repetition: int, command: list) -> None:
    done = run(who, command, servers=pids(OCEANBASE), to="/dev/null")
    part.add(case, who, repetition, done, seconds=done.wall)


def make() -> None:
    SOURCE.drop(DATABASE)
    statements = [f"CREATE DATABASE {DATABASE}", f"USE {DATABASE}"]
    for number in range(TABLES):
        columns = ["id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT", "tenant INT NOT NULL"]
        columns += [f"c{at} {kind} COMMENT 'column {at} of table {number}'" for at, kind in enumerate(KINDS)]
        keys = ["PRIMARY KEY (id)", "UNIQUE KEY by_name (tenant, c2)", "KEY by_time (c5 DESC)"]
        statements.append(f"CREATE TABLE t{number:05} ({', '.join(columns + keys)}) COMMENT 'table {number}'")
    SOURCE.sql(*statements)
