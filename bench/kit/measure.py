"""Wall time, CPU time and peak memory of programs that are run, and of servers that run beside them."""

import json
import os
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from .settings import HOME

TICK = os.sysconf("SC_CLK_TCK")


@dataclass
class Usage:
    """What one process used."""

    cpu: float = 0.0
    peak_mb: float = 0.0


@dataclass
class Run:
    """A measured stretch of time: how long it took, and what every process used in it."""

    wall: float = 0.0
    processes: dict[str, Usage] = field(default_factory=dict)
    output: str = ""
    # Seconds of the part that loads, where a program first dumps.
    load: float = 0.0

    def json(self) -> dict:
        return json.loads(self.output.strip().splitlines()[-1])


def cpu_of(pid: int) -> float:
    """User and system time of a process with all its threads."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def peak_of(pid: int) -> float:
    """Largest resident memory since the last `forget_peak`, or since the start."""
    with open(f"/proc/{pid}/status") as file:
        for line in file:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return 0.0


def forget_peak(pid: int) -> None:
    with open(f"/proc/{pid}/clear_refs", "w") as file:
        file.write("5")


class Watch:
    """What servers use between begin and `end`."""

    def __init__(self, servers: dict[str, int]):
        self.servers = servers
        for pid in servers.values():
            forget_peak(pid)
        self.before = {name: cpu_of(pid) for name, pid in servers.items()}
        self.began = time.monotonic()

    def end(self) -> Run:
        wall = time.monotonic() - self.began
        used = {
            name: Usage(cpu_of(pid) - self.before[name], peak_of(pid)) for name, pid in self.servers.items()
        }
        return Run(wall, used)


def quiet(servers: dict[str, int], seconds: float = 20.0) -> None:
    """Waits until the servers do nothing of their own any more (flushing, compaction), but not for ever, and until the
    system has nothing left to write."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        before = sum(cpu_of(pid) for pid in servers.values())
        time.sleep(0.5)
        if sum(cpu_of(pid) for pid in servers.values()) - before < 0.1:
            break
    os.sync()


class Peaks:
    """Peak memory of programs that run. The kernel's own figure for a child that has ended is at least that of its
    parent, which is this Python, so it is looked for while they run."""

    def __init__(self, pids: list[int]):
        self.peaks = dict.fromkeys(pids, 0.0)
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.look)
        self.thread.start()

    def look(self) -> None:
        while not self.ended.wait(0.02):
            for pid in self.peaks:
                try:
                    self.peaks[pid] = max(self.peaks[pid], peak_of(pid))
                except OSError:
                    pass

    def end(self) -> float:
        self.ended.set()
        self.thread.join()
        return sum(self.peaks.values())


def run(
    name: str,
    *commands: list,
    servers: dict[str, int] | None = None,
    to: str | None = None,
    folder: Path | None = None,
) -> Run:
    """Runs a pipeline of commands, and fails where one fails. The last one's output is kept, or goes to the file `to`.

    All its programs count as the process `name`: their CPU time and their memory are added up.
    """
    log = open(HOME / "programs.log", "a")
    print(*(" ".join(map(str, command)) for command in commands), sep=" | ", file=log, flush=True)
    watch = Watch(servers or {})
    children: list[subprocess.Popen] = []
    for command in commands:
        last = len(children) == len(commands) - 1
        children.append(
            subprocess.Popen(
                [str(word) for word in command],
                stdin=children[-1].stdout if children else subprocess.DEVNULL,
                stdout=open(to, "wb") if last and to else subprocess.PIPE,
                stderr=log,
                cwd=folder,
            )
        )
        if len(children) > 1:
            # Else the first one would not notice that the second one has ended.
            children[-2].stdout.close()
    peaks = Peaks([child.pid for child in children])
    output = "" if to else children[-1].stdout.read().decode()
    used = Usage()
    for child, command in zip(children, commands):
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode != 0:
            raise RuntimeError(f"{command[0]} ended with {child.returncode}, see {log.name}\n{output[-2000:]}")
        used.cpu += usage.ru_utime + usage.ru_stime
    done = watch.end()
    used.peak_mb = peaks.end()
    done.processes = {name: used, **done.processes}
    done.output = output
    return done
