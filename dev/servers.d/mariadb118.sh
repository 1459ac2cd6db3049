# shellcheck shell=bash
# MariaDB 11.8 from Debian 13, unpacked. TLS is on by itself (self-signed, proved by the password's hash).
TITLE='MariaDB 11.8 (Debian 13)'
DEFAULT_PORT=3318
SCHEME=mariadb
BINLOG_MONITOR=1
SERVER_ENV=("PROGRAMS=$DIST/bin")
# shellcheck source=../lib/mysql.sh
source "$DEV/lib/mysql.sh"
# shellcheck source=../lib/debian.sh
source "$DEV/lib/debian.sh"

# mariadb-server only for its plugins (ed25519) and mariadb-client for mariadb-binlog, without the packages they ask for.
server_install() {
    debian_unpack "$DIST/root" trixie mariadb-server-core mariadb-client-core +mariadb-server +mariadb-client
    debian_programs "$DIST/root" "$DIST/bin" /usr/sbin/mariadbd /usr/bin/{mariadb,mariadb-binlog}
}

server_programs() {
    local usr=$DIST/root/usr
    SERVER=("$DIST/bin/mariadbd" --no-defaults --basedir="$usr" --lc-messages-dir="$usr/share/mariadb"
        --plugin-dir="$usr/lib/mysql/plugin" --character-sets-dir="$usr/share/mariadb/charsets")
    CLIENT=("$DIST/bin/mariadb" --no-defaults --character-sets-dir="$usr/share/mariadb/charsets" --default-character-set=utf8mb4)
}

server_options() {
    OPTIONS+=(--server-id=18 --performance-schema=OFF --binlog-row-image=FULL --binlog-row-metadata=FULL
        --plugin-load-add=auth_ed25519)
}

server_init() {
    local share=$DIST/root/usr/share/mariadb
    server_programs
    family_bootstrap "$share"/{mariadb_system_tables,mariadb_performance_tables,mariadb_system_tables_data,maria_add_gis_sp_bootstrap,mariadb_sys_schema}.sql
}
