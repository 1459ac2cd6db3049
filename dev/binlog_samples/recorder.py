"""Runs scenarios on one server and writes, for each, the binary log file and what is expected to be in it."""

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pymysql

from .scenario import Scenario, Server, Step
from .tables import Column, Snapshot, Tables

DATABASE = "sample"
# Event times are given, so that a new recording differs from the old one in as little as possible.
FIRST_TIMESTAMP = 1_700_000_000


class RecordingFailed(Exception):
    """A statement of a scenario, or a program that looks at its file, has failed."""


@dataclass(frozen=True)
class Place:
    """Where the server's files are, and which programs belong to it."""

    socket: str
    data: Path
    mysqlbinlog: Path
    servers: Path
    out: Path


class Recorder:
    def __init__(self, name: str, place: Place) -> None:
        self.place = place
        self.connection = connect(place.socket)
        self.server = identify(name, self.connection)

    def record(self, scenario: Scenario) -> None:
        try:
            self.record_file(scenario)
        finally:
            for sql in scenario.after:
                self.alone(sql)

    def record_file(self, scenario: Scenario) -> None:
        for sql in (*scenario.before, f"DROP DATABASE IF EXISTS {DATABASE}", "FLUSH LOGS"):
            self.alone(sql)
        file, _ = self.position()
        taken = self.run(scenario)
        if scenario.name == "stopped":
            self.restart()
        else:
            self.alone("FLUSH LOGS")
        target = self.place.out / f"{scenario.name}.binlog"
        shutil.copyfile(self.place.data / file, target)
        expected = {"server": self.server.name, "version": self.server.version_text, "scenario": scenario.name, "file": target.name,
                    "log_name": file, **taken, "events_by_server": self.checked_events(file, target)}
        target.with_suffix(".expected.json").write_text(render(expected), encoding="utf-8")

    def alone(self, sql: str) -> None:
        with self.connection.cursor() as cursor:
            cursor.execute(sql)

    def position(self) -> tuple[str, int]:
        with self.connection.cursor() as cursor:
            cursor.execute("SHOW BINARY LOG STATUS" if self.server.mysql(8, 4) else "SHOW MASTER STATUS")
            file, offset = cursor.fetchone()[:2]
        return file, int(offset)

    def run(self, scenario: Scenario) -> dict[str, object]:
        """The scenario in a session of its own, so that its settings end with it."""
        session = connect(self.place.socket)
        cursor = session.cursor()
        tables = Tables(cursor, self.server)
        recorded: list[tuple[dict[str, object], Snapshot | None]] = []
        steps = [Step(f"CREATE DATABASE {DATABASE} CHARACTER SET utf8mb4"), Step(f"USE {DATABASE}"), *scenario.body(self.server)]
        for number, step in enumerate(steps):
            try:
                cursor.execute(f"SET timestamp = {FIRST_TIMESTAMP + number}")
                cursor.execute(step.sql)
            except pymysql.MySQLError as error:
                raise RecordingFailed(f"{self.server.name}, {scenario.name}: {step.sql[:300]}: {error}") from error
            recorded += self.look(step, tables)
        final = self.final_tables(tables)
        session.close()
        for entry, snapshot in recorded:
            known = final.get(str(entry.get("table")))
            if snapshot and (known is None or known["columns"] != describe(snapshot.columns)):
                entry["columns"] = describe(snapshot.columns)
        return {"tables": final, "steps": [entry for entry, _ in recorded]}

    def look(self, step: Step, tables: Tables) -> list[tuple[dict[str, object], Snapshot | None]]:
        entry: dict[str, object] = {"sql": step.sql, "end": self.position()[1]}
        if not step.logged:
            entry["logged"] = False
        if step.undone:
            entry["undone"] = True
        if step.as_statement:
            entry["as_statement"] = True
        looked: list[tuple[dict[str, object], Snapshot | None]] = []
        for name in step.tables:
            database, table = name.split(".") if name.startswith("sample_") else (DATABASE, name)
            snapshot = tables.snapshot(database, table)
            looked.append((entry | {"table": f"{database}.{table}", "rows_after": snapshot.rows}, snapshot))
            entry = {"sql": None, **{key: value for key, value in entry.items() if key != "sql"}}
        return looked or [(entry, None)]

    def final_tables(self, tables: Tables) -> dict[str, dict[str, object]]:
        final: dict[str, dict[str, object]] = {}
        names = tables.query("SELECT table_name FROM information_schema.tables WHERE table_type IN ('BASE TABLE', 'SYSTEM VERSIONED') "
                             f"AND table_schema = '{DATABASE}' ORDER BY table_name")
        for (raw,) in names:
            name = raw.decode() if isinstance(raw, bytes) else raw
            snapshot = tables.snapshot(DATABASE, name)
            final[f"{DATABASE}.{name}"] = {"columns": describe(snapshot.columns), "rows_final": snapshot.rows}
            if any(column.has_text for column in snapshot.columns):
                final[f"{DATABASE}.{name}"]["texts_final"] = tables.texts(DATABASE, name, snapshot.columns)
        return final

    def checked_events(self, file: str, copied: Path) -> list[list[object]]:
        """[start, end, type] of every event as the server itself lists them, after asking the program whether it sees the same."""
        by_server, by_program = self.events(file), self.events_by_program(copied)
        if [end for _, end, _ in by_server] != by_program:
            raise RecordingFailed(f"{self.place.mysqlbinlog.name} sees other events in {copied.name} than the server: {by_program}")
        return by_server

    def events(self, file: str) -> list[list[object]]:
        with self.connection.cursor() as cursor:
            cursor.execute(f"SHOW BINLOG EVENTS IN '{file}'")
            return [[int(row[1]), int(row[4]), row[2]] for row in cursor.fetchall()]

    def events_by_program(self, file: Path) -> list[int]:
        """Where each event ends."""
        command = [self.place.mysqlbinlog, "--no-defaults", "--base64-output=DECODE-ROWS", file]
        if self.place.mysqlbinlog.name == "mysqlbinlog":
            # Else it leaves out Rows_query events. (MariaDB's does not need it, and crashes on old temporal types then.)
            command.insert(2, "-vv")
        done = subprocess.run(command, capture_output=True, check=False)
        if done.returncode != 0:
            raise RecordingFailed(f"{self.place.mysqlbinlog.name} on {file.name}: {done.stderr.decode(errors='replace')[-500:]}")
        return [int(end) for end in re.findall(rb"^#\d{6} +\d+:\d\d:\d\d server id \d+ +end_log_pos (\d+)\b", done.stdout, re.M)]

    def restart(self) -> None:
        self.connection.close()
        for command in ("down", "up"):
            subprocess.run([self.place.servers, command, self.server.name], check=True)
        self.connection = connect(self.place.socket)


def connect(socket: str):
    # No decoders: a value is the server's text, never what a client library makes of it.
    connection = pymysql.connect(unix_socket=socket, user="root", charset="utf8mb4", autocommit=True, local_infile=True, conv={})
    with connection.cursor() as cursor:
        cursor.execute("SET NAMES utf8mb4, time_zone = '+00:00'")
    return connection


def identify(name: str, connection) -> Server:
    with connection.cursor() as cursor:
        cursor.execute("SELECT VERSION()")
        text = cursor.fetchone()[0]
    numbers = tuple(int(part) for part in re.findall(r"\d+", text)[:3])
    return Server(name, "mariadb" if "MariaDB" in text else "mysql", numbers, text)


def describe(columns: list[Column]) -> list[dict[str, object]]:
    return [column.as_json() for column in columns]


def render(expected: dict[str, object]) -> str:
    """JSON with one line for a row, a step, a column: small enough to keep, and its changes can be read in a diff."""

    def lines(value: object, depth: int) -> str:
        if isinstance(value, dict) and depth < 3:
            body = ",\n".join(f"{json.dumps(key, ensure_ascii=False)}: {lines(item, depth + 1)}" for key, item in value.items())
            return "{\n" + body + "\n}"
        if isinstance(value, list) and value and isinstance(value[0], (list, dict)) and not is_event_list(value):
            return "[\n" + ",\n".join(json.dumps(item, ensure_ascii=False) for item in value) + "\n]"
        return json.dumps(value, ensure_ascii=False)

    return lines(expected, 0) + "\n"


def is_event_list(value: list) -> bool:
    return isinstance(value[0], list) and isinstance(value[0][0], int)
