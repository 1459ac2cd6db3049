"""Full import: all rows of the source into an empty target, by Whimbrel, a dumb client, mydumper + myloader, and
mysqldump | mariadb. Into MySQL once more by Whimbrel where the server has local_infile=OFF."""

import tempfile
from pathlib import Path

from . import data
from .measure import Run, Watch, quiet, run
from .results import Part
from .servers import MYSQL, SOURCE, TARGETS, Server, pids, programs
from .settings import DIST, HOME, PEERS, REPETITIONS, WORKERS


def measure() -> None:
    part = Part("import")
    rows = data.make()
    data.statements()
    for repetition in range(1, REPETITIONS + 1):
        for name, target in TARGETS.items():
            for who in order(target, repetition):
                work = MOVERS[who]
                empty(target, with_tables=not who.startswith("Whimbrel"))
                quiet(pids(target))
                with tempfile.TemporaryDirectory(dir=HOME) as folder:
                    try:
                        done = work(target, Path(folder))
                    except RuntimeError as error:
                        part.note(name, who, str(error).splitlines()[0])
                        continue
                figures = {"rows/s": rows / done.wall, "us/row": cpu(done) / rows * 1e6}
                if done.load:
                    figures["load rows/s"] = rows / done.load
                part.add(name, who, repetition, done, **figures)
                check(target, rows)


def order(target: Server, repetition: int) -> list[str]:
    """Somebody else begins each time: what the one before has left the server to do is in nobody's figures alone."""
    movers = [who for who in MOVERS if who != WITH_INSERT or target is MYSQL]
    first = (repetition - 1) % len(movers)
    return movers[first:] + movers[:first]


def cpu(done: Run) -> float:
    return sum(used.cpu for name, used in done.processes.items() if name not in ("source", "target"))


def check(target: Server, rows: int) -> None:
    found = sum(target.sql(f"SELECT COUNT(*) FROM {table}")[0][0] for table in data.TABLES)
    if found != rows:
        raise RuntimeError(f"{target.name} has {found} rows instead of {rows}")


def empty(target: Server, with_tables: bool) -> None:
    """Nothing, or the tables that Whimbrel would make, without the secondary index that it builds after the load."""
    target.drop(*data.DATABASES, "whimbrel")
    target.settle()
    if not with_tables:
        return
    with tempfile.TemporaryDirectory(dir=HOME) as home:
        run("schema", data.migrate(target, *data.include(data.DATABASES), "--steps", "schema", home=home))
    if target.sql("SHOW INDEX FROM sbtest.sbtest1 WHERE Key_name = 'k_1'"):
        target.sql("ALTER TABLE sbtest.sbtest1 DROP INDEX k_1")


def whimbrel(target: Server, folder: Path) -> Run:
    arguments = [*data.include(data.DATABASES), "--steps", "schema,full"]
    return run("Whimbrel", data.migrate(target, *arguments, home=folder), servers=pids(target))


def whimbrel_with_insert(target: Server, folder: Path) -> Run:
    """As at a server that doesn't let its clients load rows, which is MySQL's default."""
    target.sql("SET GLOBAL local_infile = 0")
    try:
        return whimbrel(target, folder)
    finally:
        target.sql("SET GLOBAL local_infile = 1")


def dumb_client(target: Server, _folder: Path) -> Run:
    done = run("dumb client", [PEERS, "send", target.url, data.statements(), WORKERS], servers=pids(target))
    return together(done, indexed(target))


def indexed(target: Server) -> Run:
    """Builds the secondary index, which is in Whimbrel's time too."""
    watch = Watch(pids(target))
    target.sql(data.INDEX)
    return watch.end()


def together(*runs: Run) -> Run:
    """One after the other."""
    whole = Run()
    for one in runs:
        whole.wall += one.wall
        for name, used in one.processes.items():
            if name in whole.processes:
                used.cpu += whole.processes[name].cpu
                used.peak_mb = max(used.peak_mb, whole.processes[name].peak_mb)
            whole.processes[name] = used
    return whole


def mydumper(target: Server, folder: Path) -> Run:
    """Its own way: a dump in files, then the load; rows without schema, the big tables in parts, a binary log as for
    all others. The load alone is a figure of its own."""
    dump = [PEER_PROGRAMS / "mydumper", *SOURCE.client(), "--regex", "^(sbtest|tpch)[.]", "--no-schemas"]
    dump += ["--rows=50000", f"--threads={WORKERS}", "--trx-consistency-only", f"--outputdir={folder}"]
    dumped = run("mydumper", dump, servers=pids(target))
    load = [PEER_PROGRAMS / "myloader", *target.client(), f"--threads={WORKERS}", "--enable-binlog"]
    loaded = run("myloader", [*load, f"--directory={folder}"], servers=pids(target))
    index = indexed(target)
    done = together(dumped, loaded, index)
    done.load = loaded.wall + index.wall
    return done


def mysqldump(target: Server, _folder: Path) -> Run:
    dump = [programs() / "mysqldump", "--no-defaults", *SOURCE.client(), "--single-transaction", "--no-create-info"]
    dump += ["--no-create-db", "--no-tablespaces", "--set-gtid-purged=OFF", "--column-statistics=0"]
    dump += ["--databases", *data.DATABASES]
    load = [data.TOOLS / "mariadb", "--no-defaults", *target.client()]
    done = run("mysqldump + mariadb", dump, load, servers=pids(target))
    return together(done, indexed(target))


PEER_PROGRAMS = DIST / "peers" / "bin"
WITH_INSERT = "Whimbrel without local_infile"
MOVERS = {
    "Whimbrel": whimbrel,
    WITH_INSERT: whimbrel_with_insert,
    "dumb client": dumb_client,
    "mydumper + myloader": mydumper,
    "mysqldump | mariadb": mysqldump,
}
