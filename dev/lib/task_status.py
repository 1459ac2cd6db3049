"""Asks a running task's /status once.

Prints the fields named, tab-separated (empty where null). Exits 1 where nobody answers.
"""

import json
import sys
import urllib.request


def main() -> int:
    address, *fields = sys.argv[1:]
    try:
        with urllib.request.urlopen(f"http://{address}/status", timeout=5) as answer:
            status = json.load(answer)
    except OSError:
        return 1
    print("\t".join("" if status.get(field) is None else str(status[field]) for field in fields))
    return 0


if __name__ == "__main__":
    sys.exit(main())
