"""A small SQL client for servers that bring none of their own.

Statements come from -e or from standard input, separated by semicolons. Rows are printed tab-separated, NULL as NULL,
like the client programs of MySQL do in batch mode. There is no password: it is for test servers' administrators.
"""

import argparse
import sys

import pymysql


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=3306)
    parser.add_argument("--socket")
    parser.add_argument("--user", required=True)
    parser.add_argument("-N", "--skip-column-names", action="store_true")
    parser.add_argument("-e", "--execute")
    parser.add_argument("database", nargs="?")
    options = parser.parse_args()
    text = options.execute if options.execute is not None else sys.stdin.read()
    try:
        connection = pymysql.connect(
            host=options.host,
            port=options.port,
            unix_socket=options.socket,
            charset="utf8mb4",
            user=options.user,
            database=options.database,
            connect_timeout=5,
            autocommit=True,
            client_flag=pymysql.constants.CLIENT.MULTI_STATEMENTS,
        )
        with connection, connection.cursor() as cursor:
            cursor.execute(text)
            while True:
                if cursor.description:
                    if not options.skip_column_names:
                        print("\t".join(column[0] for column in cursor.description))
                    for row in cursor:
                        print("\t".join("NULL" if value is None else str(value) for value in row))
                if not cursor.nextset():
                    return 0
    except pymysql.MySQLError as error:
        print(f"ERROR {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
