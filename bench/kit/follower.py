"""A migration that follows the source: started, stopped after the last whole transaction, resumed, watched."""

import json
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

from . import data
from .measure import Usage, cpu_of, peak_of
from .servers import Server
from .settings import HOME

PORT = 13390
# Seconds until a thing that is waited for counts as not coming.
DEADLINE = 600.0


class Follower:
    """A task with a home of its own. Each `start` begins or resumes it."""

    def __init__(self, target: Server, home: Path, include: str = "bench_changes.*"):
        self.target, self.home, self.include = target, home, include
        self.child: subprocess.Popen | None = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.child:
            self.child.kill()
            self.child.wait()

    def ready(self) -> None:
        """Copies what is there and follows. The small OceanBase refuses an index now and then ("Buffer not enough"), so
        the task, which can be resumed, gets a second chance; nothing is timed here."""
        try:
            self.start()
        except RuntimeError:
            self.start()

    def start(self, until: str | None = "incremental") -> None:
        """Returns when the phase is reached, or at once."""
        arguments = ["--include", self.include, "--steps", "schema,full,incr", "--follow"]
        command = data.migrate(self.target, *arguments, "--listen", f"127.0.0.1:{PORT}", home=self.home)
        self.log = open(HOME / "programs.log", "a")
        print(*command, file=self.log, flush=True)
        self.child = subprocess.Popen(
            [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log
        )
        if until:
            self.wait(until, lambda: self.status().get("phase") == until)

    def stop(self) -> Usage:
        self.alive()
        used = Usage(self.cpu(), peak_of(self.child.pid))
        self.child.send_signal(signal.SIGINT)
        self.child.wait(timeout=120)
        self.child = None
        return used

    def alive(self) -> None:
        if self.child.poll() is not None:
            raise RuntimeError(f"the migration ended with {self.child.returncode}, see {self.log.name}")

    def cpu(self) -> float:
        return cpu_of(self.child.pid)

    def status(self) -> dict:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/status", timeout=5) as answer:
                return json.load(answer)
        except (urllib.error.URLError, OSError):
            return {}

    def wait(self, what: str, reached) -> None:
        until = time.monotonic() + DEADLINE
        while not reached():
            self.alive()
            if time.monotonic() > until:
                raise RuntimeError(f"the migration has not come to {what} within {DEADLINE:.0f} s")
            time.sleep(0.05)
