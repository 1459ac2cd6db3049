"""Writes the tables of a server's charsets, one file each, in the format that crates/model/src/charset/table.rs reads, and
the weights of utf8mb4_general_ci for crates/model/src/collation.rs.

Only what the server itself calls a character counts: one byte sequence, well-formed, whose conversion to Unicode is one
character, and not U+FFFD, by which MySQL marks the holes of tis620 and big5.
"""

import argparse
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path

import pymysql

ONE_BYTE = (
    "armscii8 cp1250 cp1251 cp1256 cp1257 cp850 cp852 cp866 dec8 geostd8 greek hebrew hp8 keybcs2 koi8r koi8u latin1 latin2 "
    "latin5 latin7 macce macroman swe7 tis620"
).split()
MORE_BYTES = {"big5": 2, "cp932": 2, "euckr": 2, "gb2312": 2, "gbk": 2, "sjis": 2, "eucjpms": 3, "ujis": 3, "gb18030": 4}
PART = 50_000
# Characters of a line of text.
LINE = 64
REPLACEMENT = "\ufffd"


def sequences(longest: int) -> Iterator[bytes]:
    """All byte sequences that can be a character, in the order of the table."""
    yield from (bytes([a]) for a in range(0x100))
    if longest >= 2:
        yield from (bytes([a, b]) for a in range(0x80, 0x100) for b in range(0x100))
    if longest == 3:
        yield from (bytes([0x8F, a, b]) for a in range(0x80, 0x100) for b in range(0x80, 0x100))
    if longest == 4:
        digits, letters = range(0x30, 0x3A), range(0x81, 0xFF)
        yield from (bytes([a, b, c, d]) for a in letters for b in digits for c in letters for d in digits)


def parts(items: Iterable) -> Iterator[list]:
    part = []
    for item in items:
        part.append(item)
        if len(part) == PART:
            yield part
            part = []
    yield part


def convert(cursor: pymysql.cursors.Cursor, items: list[bytes], source: str, target: str) -> Iterator[tuple]:
    """For each byte string in `source`: itself, its bytes in `target`, its bytes read back from `source`, its length."""
    cursor.execute("TRUNCATE item")
    if items:
        cursor.execute("INSERT INTO item (b) VALUES " + ",".join(f"(x'{item.hex()}')" for item in items))
    text = f"CONVERT(b USING {source})"
    cursor.execute(f"SELECT b, CAST(CONVERT({text} USING {target}) AS BINARY), CAST({text} AS BINARY), CHAR_LENGTH({text}) FROM item ORDER BY n")
    yield from cursor.fetchall()


def decoded(cursor: pymysql.cursors.Cursor, charset: str, longest: int) -> dict[bytes, str]:
    found = {}
    for part in parts(sequences(longest)):
        for item, utf8, kept, length in convert(cursor, part, charset, "utf8mb4"):
            if utf8 is None or kept != item or length != 1:
                continue
            text = utf8.decode()
            if len(text) == 1 and text != REPLACEMENT and (text != "?" or item == b"?"):
                found[item] = text
    return found


def encoded(cursor: pymysql.cursors.Cursor, charset: str, characters: set[str]) -> dict[str, bytes]:
    found = {}
    for part in parts(character.encode() for character in sorted(characters)):
        for utf8, own, _, _ in convert(cursor, part, "utf8mb4", charset):
            found[utf8.decode()] = own
    return found


def is_plain(character: str) -> bool:
    return unicodedata.category(character)[0] in "LNPS" and character != "\\"


def escaped(text: str) -> str:
    """Consecutive code points as `\\{first+count}`, other characters that don't show well as `\\{code}`."""
    out, at = [], 0
    while at < len(text):
        count = 1
        while at + count < len(text) and ord(text[at + count]) == ord(text[at]) + count:
            count += 1
        if count >= 8:
            out.append(f"\\{{{ord(text[at]):x}+{count:x}}}")
        else:
            count = 1
            out.append(text[at] if is_plain(text[at]) else f"\\{{{ord(text[at]):x}}}")
        at += count
    return "".join(out)


def place(item: bytes) -> tuple[int, int]:
    """Two sequences are neighbours where the second number differs by one. Four bytes count as GB 18030 counts them."""
    if len(item) == 4:
        a, b, c, d = item
        return 4, (((a - 0x81) * 10 + b - 0x30) * 126 + c - 0x81) * 10 + d - 0x30
    return len(item), int.from_bytes(item, "big")


def lines(table: dict[bytes, str], preferred: dict[str, bytes]) -> Iterator[str]:
    run, first, last = "", b"", None
    for item, character in sorted(table.items(), key=lambda entry: place(entry[0])):
        size, number = place(item)
        # `<`: read only; the character is written as another sequence.
        key = (size, "" if preferred[character] == item else "<")
        if last is not None and last == (key, number - 1) and not (len(run) >= LINE and number % LINE == 0 and size < 4):
            run += character
        else:
            if run:
                yield f"{first} {escaped(run)}"
            run, first = character, key[1] + item.hex()
        last = (key, number)
    if run:
        yield f"{first} {escaped(run)}"


def weights(cursor: pymysql.cursors.Cursor) -> Iterator[str]:
    """Lines of the characters whose weight in utf8mb4_general_ci isn't their own code point."""
    run, first, last = "", 0, None
    codes = (code for code in range(0x10000) if not 0xD800 <= code < 0xE000)
    for part in parts(chr(code).encode() for code in codes):
        cursor.execute("TRUNCATE item")
        cursor.execute("INSERT INTO item (b) VALUES " + ",".join(f"(x'{item.hex()}')" for item in part))
        cursor.execute("SELECT b, WEIGHT_STRING(CONVERT(b USING utf8mb4) COLLATE utf8mb4_general_ci) FROM item ORDER BY n")
        for item, weight in cursor.fetchall():
            code, weight = ord(item.decode()), int.from_bytes(weight, "big")
            if weight == code:
                continue
            if last != code - 1:
                if run:
                    yield f"{first:04x} {escaped(run)}"
                run, first = "", code
            run, last = run + chr(weight), code
    yield f"{first:04x} {escaped(run)}"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--socket", required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    options.out.mkdir(exist_ok=True)
    connection = pymysql.connect(unix_socket=options.socket, user="root", charset="utf8mb4", autocommit=True)
    with connection, connection.cursor() as cursor:
        cursor.execute("SET sql_log_bin = 0")
        cursor.execute("DROP DATABASE IF EXISTS charset_tables")
        cursor.execute("CREATE DATABASE charset_tables")
        cursor.execute("USE charset_tables")
        cursor.execute("CREATE TABLE item (n INT AUTO_INCREMENT PRIMARY KEY, b VARBINARY(4) NOT NULL)")
        for charset, longest in {**dict.fromkeys(ONE_BYTE, 1), **MORE_BYTES}.items():
            table = decoded(cursor, charset, longest)
            preferred = encoded(cursor, charset, set(table.values()))
            path = options.out / f"{charset}.txt"
            path.write_text("".join(line + "\n" for line in lines(table, preferred)))
            print(f"{charset}: {len(table)} characters")
        path = options.out.parent.parent / "collation" / "general_ci.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text("".join(line + "\n" for line in weights(cursor)))
        cursor.execute("DROP DATABASE charset_tables")


if __name__ == "__main__":
    main()
