"""Reads tables from a server in a form that loses nothing, for comparison with what a binary log holds.

How a column is read ("as" in the expected file):

text    the server's own text of the value (integers, decimals, temporal types, years, UTF-8 and ASCII strings, UUID, INET)
double  column * 1e0: the exact value as the shortest decimal text of a double (FLOAT as text has six digits only)
number  column + 0: the unsigned number of a BIT, the index of an ENUM, the bits of a SET
json    CAST(column AS CHAR)
hex     HEX(column): binary strings, geometry, vectors, and strings in character sets other than UTF-8 and ASCII

Tables that have ENUM, SET or strings read as hex also get "texts_final", their rows as the server shows them in UTF-8.
"""

import hashlib
from dataclasses import dataclass

from .scenario import Server

# Longer cells are kept as a digest, to keep the files small; JSON is what one has to read when a test fails.
LONGEST_CELL = {"json": 2000}
LONGEST_OTHER_CELL = 280
PLAIN_CHARSETS = ("utf8mb4", "utf8mb3", "utf8", "ascii")
CHARACTER_KINDS = ("char", "varchar", "tinytext", "text", "mediumtext", "longtext")
GEOMETRY_KINDS = ("geometry", "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon", "geometrycollection",
                  "geomcollection")
HEX_KINDS = ("binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob", "vector", *GEOMETRY_KINDS)

Cell = str | None | dict[str, object]


@dataclass(frozen=True)
class Column:
    name: str
    type: str
    kind: str
    charset: str | None
    collation: str | None
    nullable: bool
    extra: str

    @property
    def read_as(self) -> str:
        if self.kind in ("float", "double"):
            return "double"
        if self.kind in ("bit", "enum", "set"):
            return "number"
        if self.kind == "json":
            return "json"
        if self.kind in HEX_KINDS or self.kind in CHARACTER_KINDS and self.charset not in PLAIN_CHARSETS:
            return "hex"
        return "text"

    @property
    def has_text(self) -> bool:
        return self.kind in ("enum", "set") or self.kind in CHARACTER_KINDS and self.read_as == "hex"

    def expression(self) -> str:
        name = identifier(self.name)
        forms = {"text": "{}", "double": "{} * 1e0", "number": "{} + 0", "json": "CAST({} AS CHAR)", "hex": "HEX({})"}
        return forms[self.read_as].format(name)

    def as_json(self) -> dict[str, object]:
        described: dict[str, object] = {"name": self.name, "type": self.type, "as": self.read_as, "nullable": self.nullable}
        if self.charset:
            described |= {"charset": self.charset, "collation": self.collation}
        if self.extra:
            described["extra"] = self.extra
        return described


@dataclass(frozen=True)
class Snapshot:
    columns: list[Column]
    rows: list[list[Cell]]


def identifier(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def literal(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def cell(value: str | bytes | None, column: Column) -> Cell:
    if isinstance(value, bytes):
        value = value.decode("utf-8")
    if value is not None and len(value) > LONGEST_CELL.get(column.read_as, LONGEST_OTHER_CELL):
        encoded = value.encode("utf-8")
        return {"bytes": len(encoded), "sha256": hashlib.sha256(encoded).hexdigest(), "starts": value[:60]}
    return value


class Tables:
    """Looks at tables over one connection, whose decoders are off: every value comes as the server's text."""

    def __init__(self, cursor, server: Server) -> None:
        self.cursor = cursor
        self.server = server

    def query(self, sql: str) -> list[tuple]:
        self.cursor.execute(sql)
        return list(self.cursor.fetchall())

    def columns(self, database: str, table: str) -> list[Column]:
        of_table = f"table_schema = {literal(database)} AND table_name = {literal(table)}"
        rows = self.query(
            "SELECT column_name, column_type, data_type, character_set_name, collation_name, is_nullable, extra "
            f"FROM information_schema.columns WHERE {of_table} ORDER BY ordinal_position")
        texts = [[value.decode() if isinstance(value, bytes) else value for value in row] for row in rows]
        columns = [Column(name, kind, data.lower(), charset, collation, nullable == "YES", extra)
                   for name, kind, data, charset, collation, nullable, extra in texts]
        named = f"SELECT 1 FROM information_schema.columns WHERE {of_table} AND generation_expression = 'ROW START'"
        if self.versioned(database, table) and not self.query(named):
            columns += [Column(name, "timestamp(6)", "timestamp", None, None, False, "INVISIBLE SYSTEM") for name in ("row_start", "row_end")]
        return columns

    def versioned(self, database: str, table: str) -> bool:
        if not self.server.mariadb(10, 3):
            return False
        rows = self.query(f"SELECT table_type FROM information_schema.tables WHERE table_schema = {literal(database)} "
                          f"AND table_name = {literal(table)}")
        return [row[0] for row in rows] == ["SYSTEM VERSIONED"]

    def order(self, database: str, table: str, columns: list[Column]) -> str:
        key = self.query(
            "SELECT column_name FROM information_schema.statistics WHERE index_name = 'PRIMARY' "
            f"AND table_schema = {literal(database)} AND table_name = {literal(table)} ORDER BY seq_in_index")
        names = [row[0].decode() if isinstance(row[0], bytes) else row[0] for row in key] or [column.name for column in columns]
        return ", ".join(identifier(name) for name in names)

    def source(self, database: str, table: str) -> str:
        name = f"{identifier(database)}.{identifier(table)}"
        return name + " FOR SYSTEM_TIME ALL" if self.versioned(database, table) else name

    def snapshot(self, database: str, table: str) -> Snapshot:
        columns = self.columns(database, table)
        expressions = ", ".join(column.expression() for column in columns)
        rows = self.query(f"SELECT {expressions} FROM {self.source(database, table)} ORDER BY {self.order(database, table, columns)}")
        return Snapshot(columns, [[cell(*pair) for pair in zip(row, columns, strict=True)] for row in rows])

    def texts(self, database: str, table: str, columns: list[Column]) -> list[list[Cell]]:
        expressions = ", ".join(identifier(column.name) if column.has_text else column.expression() for column in columns)
        rows = self.query(f"SELECT {expressions} FROM {self.source(database, table)} ORDER BY {self.order(database, table, columns)}")
        return [[cell(*pair) for pair in zip(row, columns, strict=True)] for row in rows]
