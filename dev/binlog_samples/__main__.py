"""python -m binlog_samples NAME ...: records all scenarios that the server named so can run; see record-binlog-samples."""

import argparse
import os
import sys
import tempfile
from pathlib import Path

from . import flow_scenarios, scalar_scenarios, server_scenarios  # noqa: F401  (they register themselves)
from .recorder import Place, Recorder, RecordingFailed
from .scenario import REGISTRY

LOADED_FILES = {"load.tsv": "20,1.5,loaded\n21,2.5,\\N\n", "more.tsv": "30,1.5,more\n31,\\N,\\N\n"}


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("--socket", required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--mysqlbinlog", type=Path, required=True)
    parser.add_argument("--servers", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--scenario", action="append", help="only this one")
    options = parser.parse_args()
    place = Place(options.socket, options.data, options.mysqlbinlog, options.servers.resolve(), options.out.resolve())
    place.out.mkdir(parents=True, exist_ok=True)
    recorder = Recorder(options.name, place)
    wanted = [one for one in REGISTRY.scenarios if one.where(recorder.server) and one.name in (options.scenario or [one.name])]
    failed = 0
    # Statements name the files that they load without a folder, since the log keeps the name.
    with tempfile.TemporaryDirectory() as folder:
        for name, text in LOADED_FILES.items():
            Path(folder, name).write_text(text, encoding="utf-8")
        os.chdir(folder)
        for scenario in wanted:
            try:
                recorder.record(scenario)
            except RecordingFailed as error:
                print(error, file=sys.stderr)
                failed = 1
        os.chdir("/")
    return failed


if __name__ == "__main__":
    sys.exit(main())
