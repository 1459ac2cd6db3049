"""What a scenario is: SQL to run while one binary log file is recorded, and which tables to look at after each statement."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Step:
    """One statement.

    tables: read from the server after the statement (the statement changed them).
    logged: False for changes that a later ROLLBACK takes back, which therefore never reach the log.
    undone: they may be in the log as a prepared transaction, but an XA ROLLBACK takes them back.
    as_statement: the log holds the statement instead of its rows.
    """

    sql: str
    tables: tuple[str, ...] = ()
    logged: bool = True
    undone: bool = False
    as_statement: bool = False


@dataclass(frozen=True)
class Server:
    name: str
    kind: str
    version: tuple[int, ...]
    version_text: str

    def mysql(self, *since: int) -> bool:
        return self.kind == "mysql" and self.version >= since

    def mariadb(self, *since: int) -> bool:
        return self.kind == "mariadb" and self.version >= since

    @property
    def fractional_seconds(self) -> bool:
        return self.mysql(5, 6) or self.mariadb(5, 3)

    @property
    def utf8mb3(self) -> str:
        """The name under which the server knows the character set."""
        return "utf8mb3" if self.mysql(8) or self.mariadb(10, 6) else "utf8"


Body = Callable[[Server], Iterator[Step]]


@dataclass(frozen=True)
class Scenario:
    """before and after are statements outside the recorded file (global settings and their reset)."""

    name: str
    body: Body
    where: Callable[[Server], bool]
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


@dataclass
class Registry:
    scenarios: list[Scenario] = field(default_factory=list)

    def add(
        self,
        where: Callable[[Server], bool] = lambda server: True,
        before: tuple[str, ...] = (),
        after: tuple[str, ...] = (),
    ) -> Callable[[Body], Body]:
        def register(body: Body) -> Body:
            name = body.__name__
            if any(known.name == name for known in self.scenarios):
                raise ValueError(f"two scenarios are called {name}")
            self.scenarios.append(Scenario(name, body, where, before, after))
            return body

        return register


REGISTRY = Registry()
scenario = REGISTRY.add


def run(sql: str) -> Step:
    """A statement that changes no rows."""
    return Step(sql)


def change(sql: str, *tables: str, logged: bool = True, undone: bool = False, as_statement: bool = False) -> Step:
    """A statement that changes rows of the tables."""
    return Step(sql, tables, logged, undone, as_statement)


def values(rows: list[list[str]]) -> str:
    """Rows of SQL literals as the tail of an INSERT."""
    return ", ".join("(" + ", ".join(row) + ")" for row in rows)


def life(table: str, columns: list[str], rows: list[list[str]]) -> Iterator[Step]:
    """The whole life of a table whose columns are given as definitions: create, insert, move the key, delete.

    The update changes only the key, so that every column is in a before image and in an after image.
    """
    definitions = ", ".join(["id INT NOT NULL PRIMARY KEY", *columns])
    yield run(f"CREATE TABLE {table} ({definitions}) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4")
    numbered = [[str(number), *row] for number, row in enumerate(rows, 1)]
    nulls = [str(len(rows) + 1), *["NULL"] * len(columns)]
    yield change(f"INSERT INTO {table} VALUES {values([*numbered, nulls])}", table)
    yield change(f"UPDATE {table} SET id = id + 100 ORDER BY id DESC", table)
    yield change(f"DELETE FROM {table} WHERE id <= {100 + len(rows) // 2}", table)
