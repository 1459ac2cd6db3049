"""Runs the parts that are named, in the order below, and renders what there is."""

import os
import sys
import time
import traceback

from . import (
    machine,
    part_decode,
    part_growth,
    part_import,
    part_incremental,
    part_lag,
    part_memory,
    part_plan,
    part_store,
    part_verify,
    render,
)
from .servers import MYSQL, OCEANBASE, SOURCE
from .settings import HOME

PARTS = {
    "decode": part_decode.measure,
    "store": part_store.measure,
    "ddl": part_decode.measure_ddl,
    "import": part_import.measure,
    "verify": part_verify.measure,
    "incremental": part_incremental.measure,
    "lag": part_lag.measure,
    "memory": part_memory.measure,
    "growth": part_growth.measure,
    "plan": part_plan.measure,
}


def main() -> int:
    wanted = sys.argv[1:] or list(PARTS)
    if wanted == ["render"]:
        render.write()
        return 0
    unknown = [part for part in wanted if part not in PARTS]
    if unknown:
        print(f"no such part: {', '.join(unknown)} (there are: {', '.join(PARTS)}, render)", file=sys.stderr)
        return 2
    HOME.mkdir(parents=True, exist_ok=True)
    servers = [SOURCE, MYSQL, OCEANBASE]
    failed = []
    try:
        for server in servers:
            server.up()
        machine.write()
        for part, measure in PARTS.items():
            if part in wanted:
                began = time.monotonic()
                print(f"== {part}", file=sys.stderr)
                try:
                    measure()
                except Exception:
                    # The other parts don't need it; the exit code tells.
                    failed.append(part)
                    traceback.print_exc()
                print(f"== {part} took {time.monotonic() - began:.0f} s", file=sys.stderr)
    finally:
        if not os.environ.get("BENCH_KEEP"):
            for server in servers:
                server.down()
    render.write()
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
