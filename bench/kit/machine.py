"""What a run was made on: hardware, load, versions, sizes. Kept beside the results."""

import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from . import settings
from .servers import MYSQL, OCEANBASE, SOURCE, programs
from .settings import DIST, RESULTS, ROOT, WHIMBREL

FILE = "machine.json"


def first_line(*command) -> str:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    return (done.stdout or done.stderr).strip().splitlines()[0] if done.stdout or done.stderr else "?"


def of_file(path: str, key: str) -> str:
    for line in Path(path).read_text().splitlines():
        if line.startswith(key):
            return line.split(":", 1)[1].strip()
    return "?"


def describe() -> dict:
    memory = int(of_file("/proc/meminfo", "MemTotal").split()[0]) / 1e6
    return {
        "time": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": of_file("/proc/cpuinfo", "model name"),
        "cores": os.cpu_count(),
        "memory": f"{memory:.0f} GB",
        "kernel": platform.release(),
        "load": Path("/proc/loadavg").read_text().split()[0],
        "commit": first_line("git", "-C", ROOT, "describe", "--always", "--dirty"),
        "versions": {
            "Whimbrel": first_line(WHIMBREL, "--version"),
            "source, MySQL target": SOURCE.sql("SELECT version()")[0][0],
            "OceanBase": OCEANBASE.sql("SELECT version()")[0][0],
            "mysql_common": locked("mysql_common"),
            "mydumper, myloader": first_line(DIST / "peers" / "bin" / "mydumper", "--version"),
            "mysqldump": first_line(programs() / "mysqldump", "--no-defaults", "--version").split("  ")[1],
            "mariadb client": first_line(DIST / "tools" / "bin" / "mariadb", "--version").split("  ")[1],
        },
        "settings": {
            "MySQL": f"{MYSQL.options}, the rest as in dev/lib/mysql.sh (no sync at commit)",
            "OceanBase": f"memory {OCEANBASE.memory}, log disk 2 GB",
        },
        "sizes": {
            f"BENCH_{name}": getattr(settings, name)
            for name in (
                "REPETITIONS WORKERS ROWS SCALE DECODE_ROWS STORE_MB CHANGES KEYS LAG_SECONDS TRANSACTION_MB"
                " WIDE_ROWS TABLES GROWTH_ROWS"
            ).split()
        },
    }


def locked(crate: str) -> str:
    lines = (ROOT / "bench" / "peers" / "Cargo.lock").read_text().splitlines()
    return lines[lines.index(f'name = "{crate}"') + 1].split('"')[1]


def write() -> None:
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / FILE).write_text(json.dumps(describe(), indent=2))


def read() -> dict:
    path = RESULTS / FILE
    return json.loads(path.read_text()) if path.exists() else {}
