# shellcheck shell=bash
# What the servers of the MySQL family have in common. A server's file that sources this sets in server_programs:
#   SERVER   the words that run its server program, with the paths of its own files
#   CLIENT   the words that run its client
# and adds its own options to OPTIONS in server_options.

# The options that every server of the family gets, for quick and small test servers.
family_options() {
    local durable=${WHIMBREL_SERVERS_DURABLE:-0} flush=2 sync=0
    if [[ $durable == 1 ]]; then
        flush=1
        sync=1
    fi
    OPTIONS=(--datadir="$DATA" --port="$PORT" --bind-address=127.0.0.1 --socket="$SOCKET" --pid-file="$RUN/mysqld.pid"
        --secure-file-priv= --local-infile=ON --skip-name-resolve --max-allowed-packet=256M --max-connections=300
        --innodb-buffer-pool-size=256M --innodb-flush-log-at-trx-commit="$flush" --sync-binlog="$sync"
        --log-bin=binlog --binlog-format=ROW)
    # The server refuses to run as root unless it is told so.
    [[ $(id -u) != 0 ]] || OPTIONS+=(--user=root)
}

server_start() {
    server_programs
    family_options
    server_options
    launch "${SERVER[@]}" "${OPTIONS[@]}" ${EXTRA_OPTIONS[@]+"${EXTRA_OPTIONS[@]}"}
}

server_sql() {
    server_programs
    "${CLIENT[@]}" --socket="$SOCKET" --user=root "$@"
}

server_ready() { server_sql -N -e 'SELECT 1'; }

# family_bootstrap FILE...: makes the system tables from the server's own SQL files. The server reads one statement a
# line here, so what it is given must not be reformatted.
family_bootstrap() {
    local user=()
    [[ $(id -u) != 0 ]] || user=(--user=root)
    { printf 'create database if not exists mysql;\nuse mysql;\n'; cat "$@"; } |
        "${SERVER[@]}" --bootstrap --datadir="$DATA" ${user[@]+"${user[@]}"} ${BOOTSTRAP_OPTIONS[@]+"${BOOTSTRAP_OPTIONS[@]}"} >>"$LOG" 2>&1
}

# The users of the tests: whimbrel with what a migration needs and no more; root, without a password, also over TCP.
# Nothing of it goes to the binary log, so a new server's log holds only what tests write.
server_setup() {
    local monitor='REPLICATION CLIENT'
    [[ -z ${BINLOG_MONITOR:-} ]] || monitor='BINLOG MONITOR'
    # Without the account of nobody that old system tables bring, which would win over whimbrel@%.
    server_sql <<SQL
SET sql_log_bin = 0;
DELETE FROM mysql.user WHERE user = '';
FLUSH PRIVILEGES;
CREATE USER '$TEST_USER'@'%' IDENTIFIED BY '$TEST_PASSWORD';
GRANT SELECT, RELOAD, LOCK TABLES, SHOW VIEW, TRIGGER, EVENT, PROCESS, REPLICATION SLAVE, $monitor ON *.* TO '$TEST_USER'@'%';
${CREATE_ROOT-CREATE USER IF NOT EXISTS root@127.0.0.1;}
GRANT ALL ON *.* TO root@127.0.0.1 WITH GRANT OPTION;
SQL
}
