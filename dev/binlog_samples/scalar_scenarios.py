"""Every scalar column type with the ends of its range."""

from collections.abc import Iterator

from .scenario import Server, Step, change, life, run, scenario, values

PERMISSIVE = "SET sql_mode = 'ALLOW_INVALID_DATES'"


@scenario()
def integers(server: Server) -> Iterator[Step]:
    widths = {"TINYINT": 8, "SMALLINT": 16, "MEDIUMINT": 24, "INT": 32, "BIGINT": 64}
    columns, lowest, highest, minus_one = [], [], [], []
    for name, bits in widths.items():
        short = name.lower().replace("int", "") or "int"
        columns += [f"{short}_s {name}", f"{short}_u {name} UNSIGNED"]
        lowest += [str(-(2 ** (bits - 1))), "0"]
        highest += [str(2 ** (bits - 1) - 1), str(2**bits - 1)]
        minus_one += ["-1", "1"]
    columns += ["zero_filled INT(10) ZEROFILL", "truth BOOLEAN"]
    rows = [lowest + ["0", "FALSE"], highest + ["4294967295", "TRUE"], minus_one + ["42", "-128"]]
    yield from life("integers", columns, rows)


@scenario()
def decimals(server: Server) -> Iterator[Step]:
    shapes = [(65, 30), (65, 0), (30, 30), (10, 0), (5, 2), (1, 1), (1, 0), (9, 9), (18, 9), (19, 10), (20, 11), (12, 4)]
    columns = [f"d_{precision}_{scale} DECIMAL({precision},{scale})" for precision, scale in shapes]
    columns += ["u_20_10 DECIMAL(20,10) UNSIGNED"]

    def nines(precision: int, scale: int) -> str:
        return "9" * (precision - scale) + ("." + "9" * scale if scale else "")

    def smallest(scale: int) -> str:
        return "0." + "0" * (scale - 1) + "1" if scale else "1"

    top = [nines(*shape) for shape in shapes]
    rows = [
        [*top, nines(20, 10)],
        [*("-" + text for text in top), "0"],
        [*(smallest(scale) for _, scale in shapes), smallest(10)],
        [*("-" + smallest(scale) for _, scale in shapes), "1"],
        ["0"] * (len(shapes) + 1),
        ["-1234567890123456789.123456789", "-100000000", "-0.000000001", "-1000000000", "-1.05", "0.5", "-7", "0.000000010",
         "-100000000.000000001", "123456789.1234567891", "1.00000000001", "-12345678.0001", "1000000000.0000000001"],
    ]
    yield from life("decimals", columns, rows)


@scenario()
def floats(server: Server) -> Iterator[Step]:
    columns = ["f FLOAT", "d DOUBLE", "f_7_3 FLOAT(7,3)", "d_20_5 DOUBLE(20,5)", "du DOUBLE UNSIGNED", "f_50 FLOAT(50)"]
    rows = [
        ["3.402823466e38", "1.7976931348623157e308", "9999.999", "99999999999999.99999", "1.7976931348623157e308", "1e300"],
        ["-3.402823466e38", "-1.7976931348623157e308", "-9999.999", "-99999999999999.99999", "0", "-1e300"],
        ["1.175494351e-38", "2.2250738585072014e-308", "0.001", "0.00001", "2.2250738585072014e-308", "1e-300"],
        ["1.401298464e-45", "4.9406564584124654e-324", "0", "0", "4.9406564584124654e-324", "1e-310"],
        ["-0e0", "-0e0", "-0e0", "-0e0", "0", "-0e0"],
        ["0.1", "0.1", "0.1", "0.1", "0.1", "0.1"],
        ["1e0/3e0", "1e0/3e0", "1e0/3e0", "1e0/3e0", "1e0/3e0", "1e0/3e0"],
        ["16777217", "9007199254740993", "123.4565", "12345.678905", "1e15", "1e16"],
    ]
    yield from life("floats", columns, rows)


@scenario()
def bits(server: Server) -> Iterator[Step]:
    widths = [1, 2, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33, 63, 64]
    columns = [f"b{width} BIT({width})" for width in widths]
    rows = [
        ["b'" + "1" * width + "'" for width in widths],
        ["b'0'"] * len(widths),
        ["b'1'"] * len(widths),
        ["b'1" + "0" * (width - 1) + "'" for width in widths],
        ["b'" + ("10" * 32)[:width] + "'" for width in widths],
    ]
    yield from life("bits", columns, rows)


def precisions(server: Server) -> list[int]:
    return list(range(7)) if server.fractional_seconds else [0]


def fraction(digits: int, precision: int) -> str:
    return "." + str(digits).zfill(6)[:precision] if precision else ""


@scenario()
def times(server: Server) -> Iterator[Step]:
    yield run(PERMISSIVE)
    steps = precisions(server)
    columns = [f"t{precision} TIME({precision})" if precision else "t0 TIME" for precision in steps]
    rows = [["'" + clock + fraction(digits, precision) + "'" for precision in steps] for clock, digits in (
        ("838:59:59", 0), ("-838:59:59", 0), ("00:00:00", 0), ("-00:00:00", 1), ("-00:00:00", 999999), ("-00:00:01", 0),
        ("-01:02:03", 100000), ("-01:02:03", 999999), ("23:59:59", 999999), ("12:34:56", 123456), ("-255:00:00", 10),
        ("838:59:58", 999999), ("-838:59:58", 999999), ("-00:01:00", 50), ("00:00:00", 9))]
    yield from life("times", columns, rows)


@scenario()
def datetimes(server: Server) -> Iterator[Step]:
    yield run(PERMISSIVE)
    steps = precisions(server)
    columns = [f"d{precision} DATETIME({precision})" if precision else "d0 DATETIME" for precision in steps]
    rows = [["'" + moment + fraction(digits, precision) + "'" for precision in steps] for moment, digits in (
        ("0000-00-00 00:00:00", 0), ("1000-01-01 00:00:00", 0), ("9999-12-31 23:59:59", 999999), ("2000-00-15 01:02:03", 5),
        ("2000-11-00 01:02:03", 50), ("2021-02-30 12:00:00", 100), ("1970-01-01 00:00:00", 1), ("2024-02-29 23:59:59", 123456),
        ("0001-01-01 00:00:00", 0))]
    yield from life("datetimes", columns, rows)


@scenario()
def timestamps(server: Server) -> Iterator[Step]:
    yield run(PERMISSIVE)
    steps = precisions(server)
    columns = [f"t{precision} TIMESTAMP({precision}) NULL DEFAULT NULL" if precision else "t0 TIMESTAMP NULL DEFAULT NULL"
               for precision in steps]
    moments = [("0000-00-00 00:00:00", 0), ("1970-01-01 00:00:01", 0), ("2038-01-19 03:14:07", 999999 if server.kind == "mysql" else 0),
               ("2024-02-29 23:59:59", 123456), ("2001-09-09 01:46:40", 1), ("1999-12-31 23:59:59", 999999)]
    if server.mariadb(11, 5):
        moments.append(("2106-02-07 06:28:15", 999999))
    rows = [["'" + moment + fraction(digits, precision) + "'" for precision in steps] for moment, digits in moments]
    yield from life("timestamps", columns, rows)


@scenario()
def dates(server: Server) -> Iterator[Step]:
    yield run(PERMISSIVE)
    rows = [[f"'{date}'", year] for date, year in (
        ("0000-00-00", "0"), ("1000-01-01", "1901"), ("9999-12-31", "2155"), ("2000-00-00", "1970"), ("2000-12-00", "2000"),
        ("2021-02-31", "2024"), ("0001-01-01", "1999"), ("1969-12-31", "2069"))]
    yield from life("dates", ["d DATE", "y YEAR"], rows)


@scenario(
    where=lambda server: server.mariadb(10, 1),
    before=("SET GLOBAL mysql56_temporal_format = OFF",),
    after=("SET GLOBAL mysql56_temporal_format = ON",),
)
def old_temporal(server: Server) -> Iterator[Step]:
    """The temporal types as MariaDB 5.3 and 5.5 store them, whose fractions differ from MySQL's."""
    yield run(PERMISSIVE)
    columns = []
    for name in ("TIME", "DATETIME", "TIMESTAMP"):
        columns += [f"{name.lower()}{precision} {name}({precision}) NULL DEFAULT NULL" for precision in range(7)]
    rows = []
    for clock, day, digits in (
        ("838:59:59", "9999-12-31 23:59:59", 0), ("-838:59:59", "0000-00-00 00:00:00", 0), ("-00:00:00", "1000-01-01 00:00:00", 999999),
        ("-01:02:03", "2000-00-15 01:02:03", 100000), ("12:34:56", "2024-02-29 23:59:59", 123456)):
        stamp = day if day[:4] == "2024" or day[:4] == "0000" else "2038-01-19 03:14:07"
        row = ["'" + clock + fraction(digits, precision) + "'" for precision in range(7)]
        row += ["'" + day + fraction(digits, precision) + "'" for precision in range(7)]
        row += ["'" + stamp + fraction(digits if stamp == day else 0, precision) + "'" for precision in range(7)]
        rows.append(row)
    yield from life("old_temporal", columns, rows)


@scenario()
def enums_and_sets(server: Server) -> Iterator[Step]:
    yield run("SET sql_mode = ''")
    many = ", ".join(f"'e{number}'" for number in range(1, 301))
    bits64 = ", ".join(f"'s{number}'" for number in range(1, 65))
    columns = [
        "small ENUM('a', 'b', '', 'with ''quote', 'ü') CHARACTER SET utf8mb4",
        "large ENUM(" + many + ")",
        "cyrillic ENUM('да', 'нет') CHARACTER SET cp1251",
        "s1 SET('only')",
        "s8 SET('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h')",
        "s9 SET('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i')",
        "s24 SET(" + ", ".join(f"'m{number}'" for number in range(24)) + ")",
        "s33 SET(" + ", ".join(f"'m{number}'" for number in range(33)) + ")",
        "s64 SET(" + bits64 + ")",
    ]
    rows = [
        ["'a'", "'e1'", "'да'", "'only'", "'a'", "'a'", "'m0'", "'m0'", "'s1'"],
        ["'with ''quote'", "'e255'", "'нет'", "''", "'a,c,h'", "'i'", "'m23'", "'m32'", "'s64'"],
        ["'ü'", "'e256'", "'да'", "1", "255", "511", "16777215", "8589934591", "18446744073709551615"],
        ["'not a member'", "'e300'", "''", "0", "0", "0", "0", "0", "0"],
        ["3", "257", "2", "1", "129", "257", "8388609", "4294967297", "9223372036854775809"],
    ]
    yield from life("enums_and_sets", columns, rows)


@scenario()
def strings(server: Server) -> Iterator[Step]:
    columns = [
        "c0 CHAR(0)", "c10 CHAR(10)", "c255 CHAR(255) CHARACTER SET utf8mb4", "c255_l CHAR(255) CHARACTER SET latin1",
        "v10 VARCHAR(10)", "v63 VARCHAR(63)", "v64 VARCHAR(64)", "v255_l VARCHAR(255) CHARACTER SET latin1",
        "v256_l VARCHAR(256) CHARACTER SET latin1", "v2000 VARCHAR(2000)",
        "b5 BINARY(5)", "b255 BINARY(255)", "vb10 VARBINARY(10)", "vb300 VARBINARY(300)",
    ]
    rows = [
        ["''"] * 14,
        ["''", "'abc   '", "'x'", "'x'", "'abc   '", "'é'", "'é'", "REPEAT('a', 255)", "REPEAT('a', 256)", "REPEAT('b', 300)",
         "x'61'", "x'0000'", "x'000102'", "REPEAT(x'ff', 300)"],
        ["''", "'äöü€😀'", "REPEAT('😀', 64)", "REPEAT('ÿ', 255)", "'\\0\\n\\t\\'\"\\\\'", "REPEAT('€', 63)", "REPEAT('😀', 64)", "'ÿ'", "'é'",
         "REPEAT('ñ', 130)", "x'ff00000000'", "CONCAT(REPEAT(x'01', 254), x'00')", "x'00000000'", "x'2020'"],
    ]
    yield from life("strings", columns, rows)


@scenario()
def long_values(server: Server) -> Iterator[Step]:
    columns = [f"{size}{kind}_c {size.upper()}{kind.upper()}" for kind in ("text", "blob") for size in ("tiny", "", "medium", "long")]
    rows = [
        ["''"] * 8,
        ["REPEAT('é', 100)", "REPEAT('ü', 200)", "REPEAT('😀', 70)", "'long'", "REPEAT(x'00', 255)", "REPEAT(x'80', 256)", "x'00ff'", "x'deadbeef'"],
    ]
    yield from life("long_values", columns, rows)


@scenario()
def charsets(server: Server) -> Iterator[Step]:
    texts = {
        "latin1": "x'e4f6fce9df80'", "latin2": "x'e1e8ec'", "cp1251": "x'cff0e8e2e5f2'", "koi8r": "x'f0d2c9d7c5d4'", "gbk": "x'c4e3bac3'",
        "gb2312": "x'c4e3bac3'", "big5": "x'a741a66e'", "sjis": "x'93fa967b835c'", "ujis": "x'c6fccbdc'", "euckr": "x'b0a1b3aa'",
        "ascii": "x'616263'", server.utf8mb3: "x'c3a4e282ac'", "utf8mb4": "x'f09f9880'", "ucs2": "x'00e420ac'", "utf16": "x'00e4d83dde00'",
        "utf32": "x'000000e40001f600'",
    }
    if server.mysql(5, 7):
        texts["gb18030"] = "x'94 39 fc 36'".replace(" ", "")
    columns, first, second = [], [], []
    for charset, text in texts.items():
        columns += [f"v_{charset} VARCHAR(20) CHARACTER SET {charset}", f"c_{charset} CHAR(20) CHARACTER SET {charset}"]
        first += [f"_{charset} {text}"] * 2
        second += ["'plain'"] * 2
    columns += [f"t_{charset} TEXT CHARACTER SET {charset} COLLATE {charset}_bin" for charset in ("latin1", "gbk", "utf8mb4")]
    first += [f"_{charset} {texts[charset]}" for charset in ("latin1", "gbk", "utf8mb4")]
    second += ["'plain'"] * 3
    yield from life("charsets", columns, [first, second])


@scenario()
def nulls(server: Server) -> Iterator[Step]:
    """More columns than two bytes of a null bitmap hold, with patterns over its byte boundaries."""
    count = 20
    columns = [f"c{number} {'INT' if number % 2 else 'VARCHAR(5)'}" for number in range(count)]
    rows = [[str(number) if (number * 7 + row) % 3 else "NULL" for number in range(count)] for row in range(3)]
    rows.append(["NULL"] * 7 + ["7"] + ["NULL"] * (count - 8))
    rows.append(["0"] * 7 + ["NULL"] + ["0"] * (count - 8))
    yield from life("many_nulls", columns, rows)
    yield run("CREATE TABLE nothing_but_a_key (id INT PRIMARY KEY) ENGINE=InnoDB")
    yield change("INSERT INTO nothing_but_a_key VALUES (1), (2)", "nothing_but_a_key")
    yield change("UPDATE many_nulls SET c0 = NULL, c1 = 1 WHERE id > 103", "many_nulls")


@scenario()
def geometries(server: Server) -> Iterator[Step]:
    from_text = "ST_GeomFromText" if server.mysql(5, 6) or server.kind == "mariadb" else "GeomFromText"
    shapes = {
        "GEOMETRY": "POINT(1 2)", "POINT": "POINT(-1.5 1e100)", "LINESTRING": "LINESTRING(0 0,1 1,2 2)",
        "POLYGON": "POLYGON((0 0,10 0,10 10,0 10,0 0),(1 1,2 1,2 2,1 2,1 1))", "MULTIPOINT": "MULTIPOINT(1 1,2 2)",
        "MULTILINESTRING": "MULTILINESTRING((0 0,1 1),(2 2,3 3))", "MULTIPOLYGON": "MULTIPOLYGON(((0 0,1 0,1 1,0 0)))",
        "GEOMETRYCOLLECTION": "GEOMETRYCOLLECTION(POINT(1 1),LINESTRING(0 0,1 1))",
    }
    rows = [[f"{from_text}('{text}')" for text in shapes.values()]]
    second = [f"{from_text}('{text}')" for text in shapes.values()]
    second[0] = f"{from_text}('POLYGON((0 0,1 0,1 1,0 0))', {4326 if server.mysql(8) else 1})"
    rows.append(second)
    yield from life("geometries", [f"g_{name.lower()} {name}" for name in shapes], rows)


@scenario()
def keyless(server: Server) -> Iterator[Step]:
    yield run("CREATE TABLE keyless (a INT, b VARCHAR(10)) ENGINE=InnoDB")
    yield change("INSERT INTO keyless VALUES " + values([["1", "'x'"], ["1", "'x'"], ["NULL", "NULL"], ["2", "'y'"]]), "keyless")
    yield change("UPDATE keyless SET b = 'z' WHERE a = 1", "keyless")
    yield change("DELETE FROM keyless WHERE a = 1 LIMIT 1", "keyless")
