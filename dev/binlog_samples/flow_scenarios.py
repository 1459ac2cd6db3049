"""How changes come together: transactions, savepoints, XA, DDL, several events a statement, statements instead of rows."""

from collections.abc import Iterator

from .scenario import Server, Step, change, run, scenario, values


@scenario()
def transactions(server: Server) -> Iterator[Step]:
    yield run("CREATE TABLE one (id INT PRIMARY KEY, a INT, UNIQUE KEY (a)) ENGINE=InnoDB")
    yield run("CREATE TABLE two (id INT PRIMARY KEY, a VARCHAR(10)) ENGINE=InnoDB")
    yield run("START TRANSACTION")
    yield change("INSERT INTO one VALUES (1, 10), (2, 20)", "one")
    yield change("INSERT INTO two VALUES (1, 'x')", "two")
    yield change("UPDATE one SET a = a + 1", "one")
    yield run("COMMIT")
    yield run("START TRANSACTION")
    yield change("INSERT INTO one VALUES (3, 30)", "one")
    yield run("SAVEPOINT first")
    yield change("INSERT INTO one VALUES (4, 40)", "one", logged=False)
    yield change("UPDATE two SET a = 'lost'", "two", logged=False)
    yield run("ROLLBACK TO SAVEPOINT first")
    yield change("INSERT INTO one VALUES (5, 50)", "one")
    yield run("SAVEPOINT `second point`")
    yield change("DELETE FROM one WHERE id = 1", "one")
    yield run("RELEASE SAVEPOINT `second point`")
    yield run("COMMIT")
    yield run("START TRANSACTION")
    yield change("INSERT INTO one VALUES (6, 60)", "one", logged=False)
    yield run("ROLLBACK")
    yield change("UPDATE one, two SET one.a = one.a + 100, two.a = 'both' WHERE one.id = 2", "one", "two")
    yield change("REPLACE INTO one VALUES (7, 121), (2, 50)", "one")
    yield change("INSERT INTO one VALUES (2, 5) ON DUPLICATE KEY UPDATE a = 6, id = 8", "one")
    yield change("DELETE one, two FROM one, two WHERE one.id = 8", "one", "two")


@scenario()
def other_engines(server: Server) -> Iterator[Step]:
    """A table without transactions: every statement is a group of its own, also inside a transaction."""
    yield run("CREATE TABLE plain (id INT PRIMARY KEY, a INT) ENGINE=MyISAM")
    yield run("CREATE TABLE safe (id INT PRIMARY KEY, a INT) ENGINE=InnoDB")
    yield change("INSERT INTO plain VALUES (1, 1), (2, 2)", "plain")
    if not server.mysql(5, 6):
        yield run("START TRANSACTION")
        yield change("INSERT INTO safe VALUES (1, 1)", "safe", logged=False)
        yield change("UPDATE plain SET a = a + 1", "plain")
        yield run("ROLLBACK")
    yield change("DELETE FROM plain WHERE id = 1", "plain")


@scenario()
def foreign_keys(server: Server) -> Iterator[Step]:
    """MySQL 9.7 logs the rows that a foreign key changes in the child, before those of the parent; the other servers do not."""
    yield run("CREATE TABLE parent (id INT PRIMARY KEY) ENGINE=InnoDB")
    yield run("CREATE TABLE child (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES parent (id) ON DELETE CASCADE ON UPDATE CASCADE) "
              "ENGINE=InnoDB")
    yield change("INSERT INTO parent VALUES (1), (2)", "parent")
    yield change("INSERT INTO child VALUES (1, 1), (2, 2)", "child")
    yield change("UPDATE parent SET id = 3 WHERE id = 1", "parent", "child")
    yield change("DELETE FROM parent WHERE id = 3", "parent", "child")
    yield run("SET foreign_key_checks = 0, unique_checks = 0")
    yield change("INSERT INTO child VALUES (9, 999)", "child")
    yield run("SET foreign_key_checks = 1, unique_checks = 1")


@scenario()
def ddl(server: Server) -> Iterator[Step]:
    yield run("CREATE TABLE ddl (id INT PRIMARY KEY, a INT) ENGINE=InnoDB")
    yield change("INSERT INTO ddl VALUES (1, 1)", "ddl")
    yield run("ALTER TABLE ddl ADD COLUMN b VARCHAR(10) DEFAULT 'new' AFTER id")
    yield change("INSERT INTO ddl VALUES (2, 'b', 2)", "ddl")
    yield run("ALTER TABLE ddl MODIFY COLUMN a BIGINT UNSIGNED, ADD KEY (a)")
    yield change("UPDATE ddl SET a = 18446744073709551615 WHERE id = 2", "ddl")
    yield run("ALTER TABLE ddl CHANGE COLUMN b `new name` TEXT")
    yield run("ALTER TABLE ddl DROP COLUMN a")
    yield change("INSERT INTO ddl VALUES (3, 'c')", "ddl")
    yield run("CREATE INDEX by_name ON ddl (`new name`(5))")
    yield run("RENAME TABLE ddl TO renamed")
    yield change("DELETE FROM renamed WHERE id = 1", "renamed")
    yield run("CREATE TABLE like_renamed LIKE renamed")
    if not server.mysql(5, 6) or server.mysql(8):
        yield change("CREATE TABLE selected ENGINE=InnoDB AS SELECT * FROM renamed", "selected")
    yield run("CREATE VIEW a_view AS SELECT id FROM renamed")
    yield run("CREATE TEMPORARY TABLE temporary_one (id INT)")
    yield run("INSERT INTO temporary_one VALUES (1)")
    yield run("DROP TEMPORARY TABLE temporary_one")
    yield change("TRUNCATE TABLE renamed", "renamed")
    yield run("DROP VIEW a_view")
    yield run("DROP TABLE IF EXISTS like_renamed, no_such_table")
    yield run("CREATE TRIGGER a_trigger BEFORE INSERT ON renamed FOR EACH ROW SET NEW.`new name` = 'by the trigger'")
    yield change("INSERT INTO renamed VALUES (10, 'x')", "renamed")
    yield run("CREATE DATABASE sample_other CHARACTER SET latin1")
    yield run("CREATE TABLE sample_other.there (id INT PRIMARY KEY) ENGINE=InnoDB")
    yield change("INSERT INTO sample_other.there VALUES (1)", "sample_other.there")
    yield run("RENAME TABLE sample_other.there TO here")
    yield change("DELETE FROM here", "here")
    yield run("DROP DATABASE sample_other")
    yield run("CREATE TABLE `na``me ü 表` (`id``` INT PRIMARY KEY, `列 ä` INT) ENGINE=InnoDB")
    yield change("INSERT INTO `na``me ü 表` VALUES (1, 2)", "na`me ü 表")
    if server.mysql(8):
        yield run("ALTER TABLE renamed ADD COLUMN i INT DEFAULT 5 FIRST, ALGORITHM=INSTANT")
        yield change("UPDATE renamed SET i = 6", "renamed")
        yield run("ALTER TABLE renamed DROP COLUMN i, ALGORITHM=INSTANT")
        yield change("UPDATE renamed SET id = 11", "renamed")


@scenario()
def many_events(server: Server) -> Iterator[Step]:
    """One statement whose rows do not fit into one event (8 KiB): only the last one ends the statement."""
    yield run("CREATE TABLE many_events (id INT PRIMARY KEY, t VARCHAR(400)) ENGINE=InnoDB")
    yield change("INSERT INTO many_events VALUES " + values([[str(number), f"REPEAT('{number % 10}', 390)"] for number in range(22)]), "many_events")
    yield change("DELETE FROM many_events WHERE id > 0", "many_events")


@scenario(where=lambda server: server.mysql(5, 7) or server.kind == "mariadb")
def xa(server: Server) -> Iterator[Step]:
    prepared_logged = server.kind == "mysql" or server.mariadb(10, 5)
    yield run("CREATE TABLE xa (id INT PRIMARY KEY) ENGINE=InnoDB")
    for number, (xid, end) in enumerate((("'gtrid', 'bqual', 7", "COMMIT"), ("x'00ff27', '', 1", "ROLLBACK"), ("'plain'", "ONE PHASE"))):
        yield run(f"XA START {xid}")
        yield change(f"INSERT INTO xa VALUES ({number})", "xa", logged=end != "ROLLBACK" or prepared_logged, undone=end == "ROLLBACK")
        yield run(f"XA END {xid}")
        if end == "ONE PHASE":
            yield run(f"XA COMMIT {xid} ONE PHASE")
        else:
            yield run(f"XA PREPARE {xid}")
            yield run(f"XA {end} {xid}")
    yield change("INSERT INTO xa VALUES (10)", "xa")


@scenario()
def statements(server: Server) -> Iterator[Step]:
    """Changes that the log holds as statements: a reader of rows has to stop there."""
    yield run("CREATE TABLE statements (id INT PRIMARY KEY AUTO_INCREMENT, a DOUBLE, b VARCHAR(50)) ENGINE=InnoDB")
    yield change("INSERT INTO statements VALUES (1, 1, 'as a row')", "statements")
    yield run("SET binlog_format = STATEMENT")
    for sql in (
        "INSERT INTO statements (a, b) VALUES (2, 'auto increment')",
        "INSERT INTO statements (a) VALUES (RAND())",
        "UPDATE statements SET b = @text, a = @number + @fraction WHERE id = 1",
        "DELETE FROM statements WHERE id = 2",
        "/* comment */ REPLACE INTO statements VALUES (5, LAST_INSERT_ID(), 'x')",
    ):
        if "@text" in sql:
            yield run("SET @text = 'tüxt', @number = -5, @fraction = 1.25, @double = 1e10, @nothing = NULL")
        yield change(sql, "statements", as_statement=True)
    yield change("LOAD DATA LOCAL INFILE 'load.tsv' INTO TABLE statements FIELDS TERMINATED BY ',' (id, a, b)", "statements", as_statement=True)
    yield run("SET binlog_format = MIXED")
    yield change("UPDATE statements SET a = 100 WHERE id = 1", "statements", as_statement=True)
    yield change("INSERT INTO statements (a, b) VALUES (7, UUID())", "statements")
    yield run("SET binlog_format = ROW")
    yield change("LOAD DATA LOCAL INFILE 'more.tsv' INTO TABLE statements FIELDS TERMINATED BY ',' (id, a, b)", "statements")


@scenario()
def stopped(server: Server) -> Iterator[Step]:
    """The last file of a server that was shut down: it ends with a Stop event instead of a Rotate event."""
    yield run("CREATE TABLE stopped (id INT PRIMARY KEY) ENGINE=InnoDB")
    yield change("INSERT INTO stopped VALUES (1)", "stopped")
