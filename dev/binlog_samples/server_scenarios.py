"""What only some servers have: JSON, generated and invisible columns, vectors, MariaDB's own types and events."""

from collections.abc import Iterator

from .scenario import Server, Step, change, life, run, scenario, values

COMPRESSED = ("SET GLOBAL log_bin_compress = ON", "SET GLOBAL log_bin_compress_min_len = 10")
NOT_COMPRESSED = ("SET GLOBAL log_bin_compress = OFF", "SET GLOBAL log_bin_compress_min_len = 256")


def quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


@scenario(where=lambda server: server.mysql(5, 7))
def json(server: Server) -> Iterator[Step]:
    numbers = [0, 1, -1, 32767, -32768, 32768, 65535, 65536, -32769, 2147483647, -2147483648, 2147483648, 4294967295, 4294967296,
               9223372036854775807, -9223372036854775808, 18446744073709551615]
    doubles = ["0.0", "-0.0", "1.0", "0.1", "-1.5e-10", "1e15", "1e16", "1e17", "123456789012345680000.0", "1e21", "1e22", "1e100",
               "1.7976931348623157e308", "2.2250738585072014e-308", "5e-324", "0.0001", "0.00001", "1e-7", "123456.789", "3.0e5"]
    nest = "1"
    for level in range(90):
        nest = "[" + nest + "]" if level % 2 else '{"k": ' + nest + "}"
    texts = [
        "null", "true", "false", '""', '"short"', '"' + "x" * 127 + '"', '"' + "x" * 128 + '"', "[]", "{}", *map(str, numbers),
        "[" + ", ".join(map(str, numbers)) + "]", "[" + ", ".join(doubles) + "]",
        '{"": "empty key", "a": null, "bb": [true, false], "ä": "ü€😀", "aa": {"b": {"c": [1, {"d": []}]}}}',
        '"quote \\" back \\\\ slash \\/ control \\u0001\\b\\f\\n\\r\\t nul \\u0000 del \\u007f line \\u2028"',
        '{"dup": 1, "dup": 2, "key \\" quote": "\\ud83d\\ude00"}',
        "[" + ", ".join(str(number * 1000) for number in range(120)) + "]",
        "{" + ", ".join(f'"key{number}": {number}' for number in range(60)) + "}", nest,
    ]
    literals = [quoted(text) for text in texts]
    literals += [
        "JSON_ARRAY(CAST('12.340' AS DECIMAL(10,3)), CAST('-99999999999999999999.5' AS DECIMAL(30,1)), CAST(0 AS DECIMAL(5,0)))",
        "JSON_ARRAY(CAST('2024-02-29' AS DATE), CAST('9999-12-31 23:59:59.999999' AS DATETIME(6)), CAST('-838:59:59' AS TIME), "
        "CAST('12:34:56.789' AS TIME(3)), CAST('-00:00:00.000001' AS TIME(6)), CAST('1000-01-01 00:00:00' AS DATETIME))",
        "JSON_OBJECT('bin', x'00ff10', 'bit', b'101', 'blob', CAST('abc' AS BINARY(5)))", "CAST(x'0102' AS JSON)",
        "CAST(CAST('1.10' AS DECIMAL(5,2)) AS JSON)", "CAST(TIMESTAMP'2020-01-02 03:04:05' AS JSON)", "CAST(CAST(2024 AS YEAR) AS JSON)",
        "JSON_OBJECT('g', ST_GeomFromText('POINT(1 2)'))", "JSON_ARRAY(1.5, 1.50, 2e0, 10, '10')",
    ]
    yield from life("json_values", ["j JSON"], [[literal] for literal in literals])


@scenario(where=lambda server: server.mysql(8))
def json_large(server: Server) -> Iterator[Step]:
    """Documents in the large format (4-byte offsets), inside compressed transactions to keep the file small."""
    yield run("SET binlog_transaction_compression = ON")
    yield run("CREATE TABLE json_large (id INT PRIMARY KEY, j JSON)")
    yield change("INSERT INTO json_large VALUES (1, JSON_OBJECT('a', REPEAT('x', 70000), 'b', JSON_ARRAY(1, 70000, -70000, 'y', NULL, TRUE)))",
                 "json_large")
    yield change("INSERT INTO json_large VALUES (2, JSON_ARRAY(REPEAT('y', 17000), JSON_OBJECT('k', REPEAT('z', 66000))))", "json_large")
    yield change("INSERT INTO json_large SELECT 3, JSON_ARRAYAGG(n) FROM (WITH RECURSIVE s AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM s "
                 "WHERE n < 900) SELECT n * 100000 AS n FROM s) t", "json_large")
    yield change("UPDATE json_large SET j = JSON_SET(j, '$.b[0]', 2) WHERE id = 1", "json_large")


@scenario(where=lambda server: server.mysql(8))
def json_partial(server: Server) -> Iterator[Step]:
    yield run("SET binlog_row_value_options = 'PARTIAL_JSON'")
    yield run("CREATE TABLE json_partial (id INT PRIMARY KEY, a JSON, n INT, b JSON, c JSON)")
    document = quoted('{"name": "some longer text here", "n": 1, "list": [1, 2, 3, {"deep": "value here"}], "flag": true}')
    yield change(f"INSERT INTO json_partial VALUES (1, {document}, 1, {document}, {document}), (2, {document}, 2, NULL, '[]'), "
                 f"(3, {document}, 3, {document}, NULL)", "json_partial")
    for sql in (
        "UPDATE json_partial SET a = JSON_SET(a, '$.n', 2)",
        "UPDATE json_partial SET a = JSON_REPLACE(a, '$.name', 'short'), b = JSON_REMOVE(b, '$.flag') WHERE id IN (1, 3)",
        "UPDATE json_partial SET a = JSON_SET(a, '$.new', JSON_ARRAY(1, 'two', 3.5e0)), n = n + 10 WHERE id = 1",
        "UPDATE json_partial SET a = JSON_SET(a, '$.list[3].deep', 'other', '$.list[0]', JSON_OBJECT('x', 1)), c = '{}' WHERE id = 1",
        "UPDATE json_partial SET a = JSON_REMOVE(a, '$.list[0]', '$.list[0]') WHERE id = 1",
        "UPDATE json_partial SET n = 99 WHERE id = 2",
        "UPDATE json_partial SET a = JSON_SET(a, '$.n', n), n = NULL WHERE id = 2",
        "UPDATE json_partial SET a = JSON_SET(a, '$.list[10]', 'past the end'), b = JSON_SET(b, '$.name', NULL) WHERE id = 3",
        "UPDATE json_partial SET b = JSON_SET(b, '$.n', CAST('1.25' AS DECIMAL(5,2)), '$.d', CAST('2024-01-01' AS DATE)) WHERE id = 3",
        "UPDATE json_partial SET a = NULL, c = '[1]' WHERE id = 3",
        "UPDATE json_partial SET b = JSON_SET(b, '$.n', n) WHERE id = 2",
        "UPDATE json_partial SET a = JSON_SET(a, '$.\"key with \\\\\"quotes\\\\\" and ü\"', 1) WHERE id = 1",
        "UPDATE json_partial SET a = JSON_SET(a, '$.\"key with \\\\\"quotes\\\\\" and ü\"', 2) WHERE id = 1",
    ):
        yield change(sql, "json_partial")
    yield run("SET binlog_row_image = MINIMAL")
    yield change("UPDATE json_partial SET a = JSON_SET(a, '$.n', 77) WHERE id = 1", "json_partial")
    yield run("SET binlog_row_image = FULL")
    yield run("SET binlog_transaction_compression = ON")
    yield change("UPDATE json_partial SET a = JSON_SET(a, '$.n', 78) WHERE id < 3", "json_partial")
    yield change("DELETE FROM json_partial WHERE id = 3", "json_partial")


@scenario(where=lambda server: server.mysql(8))
def compressed_payload(server: Server) -> Iterator[Step]:
    yield run("SET binlog_transaction_compression = ON")
    yield run("CREATE TABLE payload (id INT PRIMARY KEY, t VARCHAR(500), b BLOB)")
    yield run("CREATE TABLE payload_other (id INT PRIMARY KEY)")
    yield change("INSERT INTO payload VALUES " + values([[str(number), "REPEAT('compress me ', 20)", "x'00'"] for number in range(20)]), "payload")
    yield run("START TRANSACTION")
    yield change("UPDATE payload SET t = CONCAT(id, t) WHERE id < 3", "payload")
    yield change("INSERT INTO payload_other VALUES (1), (2)", "payload_other")
    yield change("DELETE FROM payload WHERE id > 4", "payload")
    yield run("COMMIT")
    yield run("SET binlog_transaction_compression_level_zstd = 22")
    yield change("INSERT INTO payload VALUES (100, 'tiny', NULL)", "payload")
    yield run("SET binlog_rows_query_log_events = ON")
    yield change("UPDATE payload SET b = x'ffff' WHERE id = 100", "payload")


@scenario(
    where=lambda server: server.mysql(8),
    before=("SET GLOBAL gtid_mode = ON_PERMISSIVE",),
    after=("SET GLOBAL gtid_mode = ON",),
)
def gtids(server: Server) -> Iterator[Step]:
    """Automatic, tagged, given and anonymous transactions in one file."""
    yield run("CREATE TABLE gtids (id INT PRIMARY KEY)")
    given = [
        "AUTOMATIC", "AUTOMATIC:tag1", "AUTOMATIC:tag1", "AUTOMATIC:another_tag_of_32_characters_len",
        "11111111-2222-3333-4444-555555555555:5", "11111111-2222-3333-4444-555555555555:blue:7",
        "11111111-2222-3333-4444-555555555555:9223372036854775806", "ANONYMOUS", "AUTOMATIC",
    ]
    for number, gtid in enumerate(given):
        yield run(f"SET gtid_next = '{gtid}'")
        yield change(f"INSERT INTO gtids VALUES ({number})", "gtids")
    yield run("SET gtid_next = '11111111-2222-3333-4444-555555555555:6'")
    yield run("COMMIT")
    yield run("SET gtid_next = 'AUTOMATIC:ddl'")
    yield run("ALTER TABLE gtids ADD COLUMN a INT")
    yield run("SET gtid_next = 'AUTOMATIC'")


@scenario(where=lambda server: server.mysql(5, 7) or server.kind == "mariadb")
def generated(server: Server) -> Iterator[Step]:
    stored = "STORED" if server.kind == "mysql" or server.mariadb(10, 2) else "PERSISTENT"
    columns = ["id INT PRIMARY KEY", "a INT", "v INT AS (a + 1) VIRTUAL", f"s INT AS (a * 2) {stored}", "b VARCHAR(20)",
               f"u VARCHAR(20) AS (UPPER(b)) {stored}", "KEY by_v (v)"]
    if server.mysql(8):
        columns += ["KEY functional ((a * 3))", "hidden INT INVISIBLE DEFAULT 7", "d INT DEFAULT (1 + 2)"]
    if server.mariadb(10, 3):
        columns += ["hidden INT INVISIBLE DEFAULT 7"]
    yield run(f"CREATE TABLE generated_columns ({', '.join(columns)}) ENGINE=InnoDB")
    yield change("INSERT INTO generated_columns (id, a, b) VALUES (1, 10, 'x'), (2, NULL, NULL), (3, -5, 'äö')", "generated_columns")
    yield change("UPDATE generated_columns SET a = a + 1, b = CONCAT(b, 'y')", "generated_columns")
    yield change("DELETE FROM generated_columns WHERE id = 2", "generated_columns")
    if server.mysql(8):
        yield run("SET sql_generate_invisible_primary_key = ON")
        yield run("CREATE TABLE invisible_key (a INT)")
        yield change("INSERT INTO invisible_key (a) VALUES (1), (2), (1)", "invisible_key")
        yield change("UPDATE invisible_key SET a = 5 WHERE a = 1", "invisible_key")


@scenario(where=lambda server: server.mysql(9))
def vectors(server: Server) -> Iterator[Step]:
    rows = [["STRING_TO_VECTOR('[1,2.5,-3e10]')", "STRING_TO_VECTOR('[0]')"],
            ["STRING_TO_VECTOR('[" + ",".join(str(number / 4) for number in range(64)) + "]')", "NULL"]]
    yield from life("vectors", ["v VECTOR(64)", "w VECTOR"], rows)


@scenario(where=lambda server: server.mariadb(10, 3))
def mariadb_columns(server: Server) -> Iterator[Step]:
    columns = ["vc VARCHAR(1000) COMPRESSED", "tc TEXT COMPRESSED", "bc BLOB COMPRESSED", "vbc VARBINARY(200) COMPRESSED", "j JSON"]
    rows = [["REPEAT('pack ', 60)", "REPEAT('text ', 100)", "REPEAT(x'00', 300)", "REPEAT(x'ab', 150)", "'{\"a\": [1, 2.50, null]}'"],
            ["''", "'short'", "x'01'", "x''", "'[]'"]]
    if server.mariadb(10, 7):
        columns += ["u UUID"]
        rows[0] += ["'123e4567-e89b-12d3-a456-426655440000'"]
        rows[1] += ["'00000000-0000-0000-0000-000000000000'"]
        rows.append(["'a'", "'b'", "x'20'", "x'2020'", "'1'", "'ffffffff-ffff-4fff-bfff-ffffffffff20'"])
        rows.append(["'a'", "'b'", "x'20'", "x'2020'", "'1'", "'01234567-89ab-7def-8123-456789abcd00'"])
    if server.mariadb(10, 5):
        columns += ["i6 INET6"]
        for row, address in zip(rows, ("2001:db8::ff00:42:8329", "::", "::ffff:192.168.0.1", "ff00::"), strict=False):
            row.append(f"'{address}'")
    if server.mariadb(10, 10):
        columns += ["i4 INET4"]
        for row, address in zip(rows, ("192.168.1.32", "0.0.0.0", "255.255.255.255", "10.0.0.0"), strict=False):
            row.append(f"'{address}'")
    if server.mariadb(11, 7):
        columns += ["vec VECTOR(3)"]
        for row, vector in zip(rows, ("[1,2.5,-3e10]", "[0,0,0]", "[1,1,1]", "[2,0,0]"), strict=False):
            row.append(f"VEC_FromText('{vector}')")
    yield from life("mariadb_columns", columns, rows)


@scenario(where=lambda server: server.mariadb(10, 3))
def versioned_and_sequences(server: Server) -> Iterator[Step]:
    yield run("CREATE TABLE versioned (id INT PRIMARY KEY, a INT) ENGINE=InnoDB WITH SYSTEM VERSIONING")
    yield change("INSERT INTO versioned VALUES (1, 1), (2, 2)", "versioned")
    yield change("UPDATE versioned SET a = a + 10", "versioned")
    yield change("DELETE FROM versioned WHERE id = 2", "versioned")
    yield run("CREATE TABLE versioned_explicit (id INT PRIMARY KEY, a INT, s TIMESTAMP(6) GENERATED ALWAYS AS ROW START, "
              "e TIMESTAMP(6) GENERATED ALWAYS AS ROW END, PERIOD FOR SYSTEM_TIME(s, e)) ENGINE=InnoDB WITH SYSTEM VERSIONING")
    yield change("INSERT INTO versioned_explicit (id, a) VALUES (1, 1)", "versioned_explicit")
    yield change("UPDATE versioned_explicit SET a = 2", "versioned_explicit")
    yield run("CREATE SEQUENCE seq START WITH 5 INCREMENT BY 3 CACHE 2")
    yield run("CREATE TABLE from_sequence (id INT PRIMARY KEY DEFAULT NEXTVAL(seq), a INT) ENGINE=InnoDB")
    yield change("INSERT INTO from_sequence (a) VALUES (1), (2), (3)", "from_sequence")
    yield run("DO NEXTVAL(seq)")


@scenario(where=lambda server: server.mariadb(10, 2), before=COMPRESSED, after=NOT_COMPRESSED)
def compressed_events(server: Server) -> Iterator[Step]:
    """Query and row events compressed one by one (zlib)."""
    yield run("CREATE TABLE compressed_events (id INT PRIMARY KEY, t VARCHAR(500), b BLOB) ENGINE=InnoDB")
    yield change("INSERT INTO compressed_events VALUES " + values([[str(number), "REPEAT('compress me ', 20)", "x'00'"] for number in range(8)]),
                 "compressed_events")
    yield change("UPDATE compressed_events SET t = CONCAT(id, t) WHERE id < 4", "compressed_events")
    yield change("DELETE FROM compressed_events WHERE id > 5", "compressed_events")
    yield change("INSERT INTO compressed_events VALUES (100, '', NULL)", "compressed_events")
    yield run("SET binlog_format = STATEMENT")
    yield change("UPDATE compressed_events SET t = 'as a statement' WHERE id = 100", "compressed_events", as_statement=True)
    yield run("SET binlog_format = ROW")


@scenario(where=lambda server: server.kind == "mariadb")
def domains(server: Server) -> Iterator[Step]:
    yield run("CREATE TABLE domains (id INT PRIMARY KEY) ENGINE=InnoDB")
    for number, settings in enumerate((
        ("SET gtid_domain_id = 5",), ("SET gtid_domain_id = 4294967295",), ("SET gtid_domain_id = 5", "SET server_id = 77"),
        ("SET gtid_seq_no = 1000000000000",), ("SET gtid_domain_id = 0", "SET server_id = DEFAULT"), ("SET skip_parallel_replication = ON",),
    )):
        for setting in settings:
            yield run(setting)
        yield change(f"INSERT INTO domains VALUES ({number})", "domains")


@scenario(where=lambda server: server.mariadb(10, 8))
def two_phase_alter(server: Server) -> Iterator[Step]:
    yield run("CREATE TABLE two_phase (id INT PRIMARY KEY) ENGINE=InnoDB")
    yield change("INSERT INTO two_phase VALUES (1)", "two_phase")
    yield run("SET binlog_alter_two_phase = ON")
    yield run("ALTER TABLE two_phase ADD COLUMN a INT DEFAULT 5")
    yield change("INSERT INTO two_phase VALUES (2, 2)", "two_phase")


@scenario(
    where=lambda server: server.mysql(8) or server.mariadb(10, 5),
    before=("SET GLOBAL binlog_row_metadata = MINIMAL",),
    after=("SET GLOBAL binlog_row_metadata = FULL",),
)
def metadata_minimal(server: Server) -> Iterator[Step]:
    columns = ["u INT UNSIGNED", "e ENUM('a', 'b')", "c VARCHAR(10) CHARACTER SET latin1", "b VARBINARY(10)", "g POINT"]
    yield from life("metadata_minimal", columns, [["4294967295", "'b'", "'é'", "x'ff'", "ST_GeomFromText('POINT(1 2)')"]])


@scenario(
    where=lambda server: server.mysql(5, 6) or server.mariadb(5, 3),
    before=("SET GLOBAL binlog_checksum = NONE",),
    after=("SET GLOBAL binlog_checksum = CRC32",),
)
def no_checksum(server: Server) -> Iterator[Step]:
    yield from life("no_checksum", ["a VARCHAR(20)"], [["'x'"], ["'y'"]])


@scenario(where=lambda server: server.mysql(5, 6) or server.mariadb(10, 1))
def row_images(server: Server) -> Iterator[Step]:
    """What a session may do to the images: a reader must notice that columns are missing."""
    yield run("CREATE TABLE row_images (id INT PRIMARY KEY, a INT, b VARCHAR(20), c TEXT, d INT DEFAULT 4) ENGINE=InnoDB")
    for image in ("MINIMAL", "NOBLOB", "FULL"):
        yield run(f"SET binlog_row_image = {image}")
        yield change("INSERT INTO row_images (id, a, c) VALUES (1, 1, 'text'), (2, NULL, NULL)", "row_images")
        yield change("UPDATE row_images SET b = 'changed' WHERE id = 1", "row_images")
        yield change("DELETE FROM row_images", "row_images")


@scenario(where=lambda server: server.mysql(5, 6) or server.kind == "mariadb")
def rows_query(server: Server) -> Iterator[Step]:
    yield run("SET binlog_rows_query_log_events = ON" if server.kind == "mysql" else "SET binlog_annotate_row_events = ON")
    yield from life("rows_query", ["a VARCHAR(20)"], [["'x'"]])
