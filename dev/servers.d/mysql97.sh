# shellcheck shell=bash
# MySQL 9.7 from Debian sid, unpacked. TLS works out of the box with certificates that the server makes itself (ca.pem).
TITLE='MySQL 9.7 (Debian sid)'
DEFAULT_PORT=3397
SCHEME=mysql
SERVER_ENV=("TLS_CA=$DATA/ca.pem" "PROGRAMS=$DIST/bin")
# shellcheck source=../lib/mysql.sh
source "$DEV/lib/mysql.sh"
# shellcheck source=../lib/debian.sh
source "$DEV/lib/debian.sh"

server_install() {
    debian_unpack "$DIST/root" sid mysql-server-core mysql-client-core
    debian_programs "$DIST/root" "$DIST/bin" /usr/sbin/mysqld /usr/bin/{mysql,mysqldump,mysqlbinlog,mysqladmin}
}

server_programs() {
    local usr=$DIST/root/usr
    SERVER=("$DIST/bin/mysqld" --no-defaults --basedir="$usr" --lc-messages-dir="$usr/share/mysql"
        --plugin-dir="$usr/lib/mysql/plugin" --character-sets-dir="$usr/share/mysql/charsets")
    CLIENT=("$DIST/bin/mysql" --no-defaults --character-sets-dir="$usr/share/mysql/charsets" --default-character-set=utf8mb4)
}

server_options() {
    OPTIONS+=(--server-id=97 --mysqlx=OFF --performance-schema=OFF --gtid-mode=ON --enforce-gtid-consistency=ON
        --binlog-row-image=FULL --binlog-row-metadata=FULL)
}

server_init() {
    local user=() fixed=() option
    [[ $(id -u) != 0 ]] || user=(--user=root)
    # This option holds for the life of the data.
    for option in ${EXTRA_OPTIONS[@]+"${EXTRA_OPTIONS[@]}"}; do
        [[ $option != --lower[-_]case[-_]table[-_]names=* ]] || fixed+=("$option")
    done
    server_programs
    "${SERVER[@]}" --datadir="$DATA" ${user[@]+"${user[@]}"} ${fixed[@]+"${fixed[@]}"} --initialize-insecure >>"$LOG" 2>&1
}
