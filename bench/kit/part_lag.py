"""Lag while an application writes the update-heavy pattern half as fast as the source takes it alone, or half as fast
as Whimbrel applies it where that is less (both as part `incremental` has measured them). A heartbeat row is written at
the source every 50 ms and watched for at the target every 5 ms. The load that there was is in the result.
"""

import json
import statistics
import subprocess
import tempfile
from pathlib import Path

from . import results
from .follower import Follower
from .measure import Watch, run
from .results import Part
from .servers import SOURCE, TARGETS, pids
from .settings import KEYS, LAG_RATE, LAG_SECONDS, PEERS, REPETITIONS, WORKERS, HOME


def measure() -> None:
    part = Part("lag")
    for name, target in TARGETS.items():
        run("tables", [PEERS, "tables", SOURCE.url, KEYS])
        target.drop("bench_changes", "whimbrel")
        with tempfile.TemporaryDirectory(dir=HOME) as folder, Follower(target, Path(folder)) as follower:
            follower.ready()
            for repetition in range(1, REPETITIONS + 1):
                beat(part, name, follower, repetition)
            follower.stop()


def rate(name: str) -> int:
    """Transactions of ten changes a second: half of what the incremental part has measured."""
    if LAG_RATE:
        return LAG_RATE
    measured = results.read("incremental")
    speeds = [
        statistics.median(figures)
        for key in ((f"updates, {name}", "Whimbrel"), ("updates", "the source itself"))
        if (figures := results.figure(measured.get(key, []), "changes/s"))
    ]
    return int(min(speeds) / 2 / 10) if speeds else 500


def beat(part: Part, name: str, follower: Follower, repetition: int) -> None:
    target = follower.target
    watch = Watch(pids(target) | {"Whimbrel": follower.child.pid})
    paced = [PEERS, "replay", SOURCE.url, "updates", LAG_SECONDS, WORKERS, rate(name)]
    load = subprocess.Popen([str(word) for word in paced], stdout=subprocess.PIPE)
    lags = run("heartbeat", [PEERS, "heartbeat", SOURCE.url, target.url, LAG_SECONDS]).json()
    output, _ = load.communicate()
    if load.returncode != 0:
        raise RuntimeError("the application of the measurement failed")
    wrote = json.loads(output)
    follower.alive()
    done = watch.end()
    figures = {"wanted/s": rate(name) * 10, "changes/s": wrote["changes"] / wrote["seconds"]}
    part.add(name, "Whimbrel", repetition, done, **figures, **{k: v for k, v in lags.items() if k != "beats"})
