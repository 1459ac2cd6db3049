# shellcheck shell=bash
# MariaDB 10.11 from Debian 12, unpacked. TLS by a certificate made here, for 127.0.0.1 and localhost.
TITLE='MariaDB 10.11 (Debian 12)'
DEFAULT_PORT=3310
SCHEME=mariadb
BINLOG_MONITOR=1
SERVER_ENV=("TLS_CA=$HOME_DIR/tls/ca.pem" "PROGRAMS=$DIST/bin")
# shellcheck source=../lib/mysql.sh
source "$DEV/lib/mysql.sh"
# shellcheck source=../lib/debian.sh
source "$DEV/lib/debian.sh"
# shellcheck source=../lib/tls.sh
source "$DEV/lib/tls.sh"

# mariadb-server only for its plugins (ed25519) and mariadb-client for mariadb-binlog, without the packages they ask for.
server_install() {
    debian_unpack "$DIST/root" bookworm mariadb-server-core mariadb-client-core +mariadb-server +mariadb-client
    debian_programs "$DIST/root" "$DIST/bin" /usr/sbin/mariadbd /usr/bin/{mariadb,mariadb-binlog}
}

server_programs() {
    local usr=$DIST/root/usr
    SERVER=("$DIST/bin/mariadbd" --no-defaults --basedir="$usr" --lc-messages-dir="$usr/share/mysql"
        --plugin-dir="$usr/lib/mysql/plugin" --character-sets-dir="$usr/share/mysql/charsets")
    CLIENT=("$DIST/bin/mariadb" --no-defaults --character-sets-dir="$usr/share/mysql/charsets" --default-character-set=utf8mb4)
}

server_options() {
    tls_make "$HOME_DIR/tls"
    OPTIONS+=(--server-id=10 --performance-schema=OFF --binlog-row-image=FULL --binlog-row-metadata=FULL
        --plugin-load-add=auth_ed25519 --ssl-ca="$HOME_DIR/tls/ca.pem" --ssl-cert="$HOME_DIR/tls/server.pem"
        --ssl-key="$HOME_DIR/tls/server.key")
}

server_init() {
    local share=$DIST/root/usr/share/mysql
    server_programs
    family_bootstrap "$share"/{mysql_system_tables,mysql_performance_tables,mysql_system_tables_data,maria_add_gis_sp_bootstrap,mysql_sys_schema}.sql
}
