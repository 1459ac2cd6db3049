"""The chart: for each work, bars of everybody's speed, the fastest one at full length. Readable on light and dark."""

from xml.sax.saxutils import escape

from .goals import median, shown

# Title, part, figure, and the programs: case and who.
GROUPS = [
    ("Reading a binlog file", "decode", "rows/CPU-s", [("binlog file", who) for who in ("Whimbrel", "mysqlbinlog", "mysql_common")]),
    *(
        (f"Full import into {name}", "import", "rows/s", [(name, who) for who in
            ("Whimbrel", "dumb client", "mydumper + myloader", "mysqldump | mariadb")])
        for name in ("OceanBase", "MySQL 9.7")
    ),
    ("A backlog of changes, into OceanBase", "incremental", "changes/s",
        [("all, OceanBase", who) for who in ("Whimbrel", "dumb client")]),
    ("A backlog of changes, into MySQL 9.7", "incremental", "changes/s",
        [("all, MySQL 9.7", who) for who in ("Whimbrel", "MySQL replica")]),
    ("Verification with OceanBase", "verify", "rows/s",
        [("OceanBase", who) for who in ("Whimbrel", "SELECT * at the source", "SELECT * at the target")]),
]  # fmt: skip

STYLE = """
text { font: 13px system-ui, sans-serif; fill: #24292f; }
.title { font-weight: 600; }
.ours { fill: #0a7d5a; }
.peer { fill: #9aa4af; }
@media (prefers-color-scheme: dark) {
  text { fill: #d7dde4; }
  .ours { fill: #2fbf8f; }
  .peer { fill: #5c6773; }
}"""
LEFT, LENGTH, WIDTH, LINE = 190, 400, 760, 22


def draw(found: dict) -> str:
    y, parts = 10, []
    for title, part, figure, programs in GROUPS:
        bars = [(who, median(found[part], case, who, figure)) for case, who in programs]
        bars = [(who, value) for who, value in bars if value]
        if not bars:
            continue
        y += 16
        parts.append(f'<text class="title" x="10" y="{y}">{escape(title)}, {figure}</text>')
        y += 8
        most = max(value for _, value in bars)
        for who, value in bars:
            length = max(LENGTH * value / most, 1)
            kind = "ours" if who == "Whimbrel" else "peer"
            parts.append(f'<text x="{LEFT - 8}" y="{y + 15}" text-anchor="end">{escape(who)}</text>')
            parts.append(f'<rect class="{kind}" x="{LEFT}" y="{y + 3}" width="{length:.1f}" height="16" rx="2"/>')
            parts.append(f'<text x="{LEFT + length + 8:.1f}" y="{y + 15}">{shown(value)}</text>')
            y += LINE
        y += 10
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" width="{WIDTH}" height="{y}" role="img">'
    return "\n".join([head, f"<style>{STYLE}</style>", *parts, "</svg>"]) + "\n"
