"""Verification of equal tables: `whimbrel verify` beside reading everything of each side by one client, which looks at
nothing of what it reads. pt-table-checksum doesn't run here: it compares a source with its MySQL replicas."""

import tempfile

from . import data
from .measure import quiet, run
from .part_import import empty
from .results import Part
from .servers import OCEANBASE, SOURCE, pids
from .settings import HOME, PEERS, REPETITIONS, WHIMBREL, WORKERS


def measure() -> None:
    part = Part("verify")
    rows = data.make()
    prepare()
    target = OCEANBASE
    for repetition in range(1, REPETITIONS + 1):
        quiet(pids(target))
        verify = [WHIMBREL, "verify", "--source", SOURCE.url, "--target", target.url, *data.include(data.DATABASES)]
        with tempfile.TemporaryDirectory(dir=HOME) as folder:
            verify += ["--workers", WORKERS, "--corrections", folder]
            done = run("Whimbrel", verify, servers=pids(target))
        part.add("OceanBase", "Whimbrel", repetition, done, **{"rows/s": rows / done.wall})
        for who, server in (("SELECT * at the source", SOURCE), ("SELECT * at the target", target)):
            done = run("client", [PEERS, "scan", server.url, *data.TABLES], servers=pids(target))
            part.add("OceanBase", who, repetition, done, **{"rows/s": rows / done.wall})


def prepare() -> None:
    """The target's tables as an import leaves them."""
    empty(OCEANBASE, with_tables=False)
    arguments = [*data.include(data.DATABASES), "--steps", "schema,full"]
    with tempfile.TemporaryDirectory(dir=HOME) as home:
        run("Whimbrel", data.migrate(OCEANBASE, *arguments, home=home))
