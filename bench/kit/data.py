"""The rows: sysbench's table and TPC-H, made once for each size and kept with the source server."""

import os
import subprocess

from .measure import run
from .servers import SOURCE
from .settings import DIST, HOME, PEERS, ROOT, ROWS, SCALE, WHIMBREL, WORKERS

TOOLS = DIST / "tools" / "bin"
TPCH = ["lineitem", "orders", "partsupp", "part", "customer", "supplier", "nation", "region"]
DATABASES = ["sbtest", "tpch"]
TABLES = ["sbtest.sbtest1", *(f"tpch.{table}" for table in TPCH)]
# What Whimbrel builds after the load; the dumb client does the same.
INDEX = "CREATE INDEX k_1 ON sbtest.sbtest1 (k)"


def make() -> int:
    """The tables at the source, and their rows altogether."""
    stamp = SOURCE.folder / f"rows-{ROWS}-scale-{SCALE}"
    if not stamp.exists():
        for old in SOURCE.folder.glob("rows-*"):
            old.unlink()
        SOURCE.drop(*DATABASES)
        SOURCE.sql(*(f"CREATE DATABASE {database} DEFAULT CHARACTER SET utf8mb4" for database in DATABASES))
        make_sysbench()
        make_tpch()
        SOURCE.sql(*(f"ANALYZE TABLE {table}" for table in TABLES))
        stamp.touch()
    return sum(SOURCE.sql(f"SELECT COUNT(*) FROM {table}")[0][0] for table in TABLES)


def make_sysbench() -> None:
    command = [TOOLS / "sysbench", "oltp_write_only", "--db-driver=mysql", "--mysql-host=127.0.0.1"]
    command += [f"--mysql-port={SOURCE.port}", "--mysql-user=root", "--mysql-db=sbtest", "--tables=1"]
    run("sysbench", [*command, f"--table-size={ROWS}", "prepare"])


def make_tpch() -> None:
    folder = HOME / f"tpch-{SCALE}"
    if not (folder / "complete").exists():
        # Its own Python would read the module path of this one.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        command = [TOOLS / "tpchgen-cli", "tbl", "-s", SCALE, f"--output-dir={folder}"]
        subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
        (folder / "complete").touch()
    definition = (ROOT / "dev" / "lib" / "tpch.sql").read_text()
    statements = [text for text in definition.split(";") if text.strip()]
    SOURCE.sql("USE tpch", *statements)
    for table in TPCH:
        SOURCE.sql(
            f"LOAD DATA LOCAL INFILE '{folder}/{table}.tbl' INTO TABLE tpch.{table}"
            " FIELDS TERMINATED BY '|' LINES TERMINATED BY '|\\n'"
        )


def migrate(target, *arguments, home) -> list:
    """The command that moves something from the source to the target."""
    ends = ["--source", SOURCE.url, "--target", target.url]
    return [WHIMBREL, "migrate", *ends, "--home", home, "--workers", WORKERS, *arguments]


def include(databases: list[str]) -> list[str]:
    return [word for database in databases for word in ("--include", f"{database}.*")]


def statements(rows_each: int = 1000):
    """The file of ready INSERTs that the dumb client sends; made anew only where the rows are others."""
    path = HOME / f"inserts-{ROWS}-{SCALE}"
    if not path.exists():
        for old in HOME.glob("inserts-*"):
            old.unlink()
        run("make", [PEERS, "make", SOURCE.url, f"{path}.part", rows_each, *TABLES])
        (HOME / f"{path.name}.part").rename(path)
    return path
