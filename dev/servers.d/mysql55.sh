# shellcheck shell=bash
# MySQL 5.5.9 out of the Maven artifact of Connector/MXJ: no GTID, no checksums, old temporal formats. No TLS.
TITLE='MySQL 5.5.9 (Maven mysql-connector-mxj-db-files)'
DEFAULT_PORT=3355
SCHEME=mysql
CREATE_ROOT='' # no CREATE USER IF NOT EXISTS yet; GRANT makes the user
# shellcheck source=../lib/mysql.sh
source "$DEV/lib/mysql.sh"
# shellcheck source=../lib/packages.sh
source "$DEV/lib/packages.sh"

server_install() {
    local jar=$DIST/jar
    maven_unzip mysql:mysql-connector-mxj-db-files:5.0.12 "$jar" 5-5-9/Linux-x86_64/mysqld 5-5-9/data_dir.jar \
        5-5-9/share_dir.jar
    mv "$jar"/5-5-9/Linux-x86_64/* "$DIST/"
    unzip -q -o "$jar/5-5-9/share_dir.jar" -d "$DIST/share"
    unzip -q -o "$jar/5-5-9/data_dir.jar" -d "$DIST/data"
    rm -r "$jar"
    chmod +x "$DIST/mysqld"
    python_install pymysql # its own client wants libraries that Debian no longer has
}

server_programs() {
    local share=$DIST/share/share
    SERVER=("$DIST/mysqld" --no-defaults --basedir="$DIST" --lc-messages-dir="$share" --character-sets-dir="$share/charsets")
    python_client
}

server_options() { OPTIONS+=(--server-id=55); }

server_init() {
    local mysql
    mysql=$(cd "$DIST/data" && find . -type d -name mysql | head -n 1)
    cp -r "$DIST/data/$mysql/../." "$DATA/"
}
