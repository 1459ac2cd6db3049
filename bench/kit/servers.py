"""The servers of a run: a source, a MySQL target, an OceanBase target. They are the measurements' own, so that nothing
that the tests leave behind is in the figures, and are kept under `.bench/` until the next run."""

import os
import subprocess
import time
from dataclasses import dataclass

import pymysql

from .settings import DIST, HOME, ROOT

# All programs connect in clear: client and server are on one machine. The rest is what a server of some size would have.
MYSQL_OPTIONS = "--tls-version= --innodb-buffer-pool-size=1G --innodb-redo-log-capacity=2G --local-infile=1"


@dataclass
class Server:
    name: str
    recipe: str
    port: int
    options: str = ""
    memory: str = ""

    @property
    def upper(self) -> str:
        return f"WHIMBREL_{self.recipe.upper()}"

    @property
    def folder(self):
        return HOME / "servers" / self.name

    def devservers(self, *arguments: str) -> str:
        environment = os.environ | {
            "WHIMBREL_SERVERS_DIR": str(self.folder),
            "WHIMBREL_SERVERS_DIST": str(DIST),
            f"{self.upper}_PORT": str(self.port),
            f"{self.upper}_OPTIONS": self.options,
            f"{self.upper}_MEMORY": self.memory,
        }
        command = [ROOT / "dev" / "servers", *arguments]
        done = subprocess.run(command, env=environment, check=True, text=True, stdout=subprocess.PIPE)
        return done.stdout

    def up(self) -> None:
        self.devservers("up", self.recipe)

    def down(self) -> None:
        self.devservers("down", self.recipe)

    @property
    def pid(self) -> int:
        return int((self.folder / self.recipe / "run" / "pid").read_text().split()[0])

    @property
    def data(self):
        return self.folder / self.recipe / "data"

    @property
    def url(self) -> str:
        scheme = "oceanbase" if self.recipe == "seekdb" else "mysql"
        return f"{scheme}://root@127.0.0.1:{self.port}/"

    def connect(self) -> pymysql.Connection:
        return pymysql.connect(
            host="127.0.0.1", port=self.port, user="root", charset="utf8mb4", autocommit=True, local_infile=True
        )

    def sql(self, *statements: str) -> tuple:
        """Runs the statements; the rows of the last one."""
        with self.connect() as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return cursor.fetchall()

    def drop(self, *databases: str) -> None:
        self.sql(*(f"DROP DATABASE IF EXISTS {database}" for database in databases))

    def settle(self) -> None:
        """Lets OceanBase write its memory table out. Otherwise whoever comes when it is nearly full pays for what those
        before have filled it with: merging takes as much CPU again as the load itself."""
        if self.recipe != "seekdb":
            return
        self.sql("ALTER SYSTEM MINOR FREEZE")
        frozen = "SELECT COUNT(*) FROM oceanbase.__all_virtual_tablet_memstore_info WHERE is_active IN ('NO', '0')"
        deadline = time.monotonic() + 60
        while self.sql(frozen)[0][0]:
            if time.monotonic() > deadline:
                raise RuntimeError("OceanBase has not written its memory table out within 60 s")
            time.sleep(0.2)

    def client(self) -> list[str]:
        """Where a client program of the MySQL family finds the server."""
        return ["--host=127.0.0.1", f"--port={self.port}", "--user=root"]


PORT = int(os.environ.get("BENCH_PORT") or 13397)
SOURCE = Server("source", "mysql97", PORT, MYSQL_OPTIONS)
MYSQL = Server("target", "mysql97", PORT + 1, f"{MYSQL_OPTIONS} --server-id=98 --replica-parallel-workers=4")
OCEANBASE = Server("oceanbase", "seekdb", PORT + 2, memory="4G")
TARGETS = {"OceanBase": OCEANBASE, "MySQL 9.7": MYSQL}


def programs(recipe: str = "mysql97"):
    return DIST / recipe / "bin"


def pids(target: Server | None = None) -> dict[str, int]:
    """The servers that take part, for `measure`."""
    return {"source": SOURCE.pid} | ({"target": target.pid} if target else {})
