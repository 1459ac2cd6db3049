# shellcheck shell=bash
# OceanBase: seekdb, its kernel built for one node, out of the Python package pylibseekdb.
TITLE='OceanBase seekdb 1.4.0 (PyPI pylibseekdb)'
DEFAULT_PORT=2981
SCHEME=oceanbase
SEEKDB_VERSION=1.4.0.post1
# Its bootstrap gives up after 9 s (OB_TIMEOUT), which a busy machine may need.
FIRST_START_ATTEMPTS=3
# shellcheck source=../lib/packages.sh
source "$DEV/lib/packages.sh"

server_install() {
    python_install "pylibseekdb==$SEEKDB_VERSION" pymysql
    "$SERVERS_DIST/python/bin/python" -c 'import importlib.util, pathlib
print(pathlib.Path(importlib.util.find_spec("pylibseekdb").origin).parent / "seekdb")' >"$DIST/program"
    [[ -s $(<"$DIST/program") ]] || fail "the package pylibseekdb holds no seekdb"
}

server_log() { echo "$DATA/log/seekdb.log"; }

server_init() { :; }

# The program puts itself in the background and returns 0 whatever happens; its process id is in run/seekdb.pid.
server_start() {
    local program deadline=$((SECONDS + 20))
    program=$(<"$DIST/program")
    rm -f "$RUN/pid" "$DATA/run/seekdb.pid" "$DATA"/log/*.log*
    cat "$program" >/dev/null # into the page cache: read from a cold disk its bootstrap runs into its own deadline
    "$program" --base-dir "$DATA" --port "$PORT" --parameter memory_budget="${WHIMBREL_SEEKDB_MEMORY:-1G}" \
        --parameter log_disk_size=2G --parameter datafile_size=64M ${EXTRA_OPTIONS[@]+"${EXTRA_OPTIONS[@]}"} \
        </dev/null >>"$LOG" 2>&1 9>&-
    until [[ -s $DATA/run/seekdb.pid ]] && record_pid "$(<"$DATA/run/seekdb.pid")" 2>/dev/null; do
        ((SECONDS < deadline)) || return 1
        sleep 0.05
    done
}

server_sql() { # server_sql [-N] [-e STATEMENTS]: statements from the argument or from standard input
    python_client
    "${CLIENT[@]}" --port="$PORT" --user=root "$@"
}

server_ready() { server_sql -e 'SELECT 1'; }

server_started() { server_sql -e 'SET GLOBAL max_allowed_packet = 268435456'; }

server_setup() {
    server_sql -e "CREATE USER IF NOT EXISTS '$TEST_USER' IDENTIFIED BY '$TEST_PASSWORD'; GRANT ALL ON *.* TO '$TEST_USER'"
}
