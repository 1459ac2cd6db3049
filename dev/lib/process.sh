# shellcheck shell=bash
# Processes of servers: starting one that outlives the script, knowing that a process id is still ours, stopping it.
#
# A process id alone proves nothing after a restart of the machine, so the file run/pid holds it together with the start
# time of the process (clock ticks since boot, field 22 of /proc/PID/stat).

say() { printf '%s: %s\n' "${NAME:-dev/servers}" "$*" >&2; }

fail() {
    say "$*"
    exit 1
}

start_time() { # start_time PID; the program's name (field 2) may hold blanks, so the fields are counted behind it
    local stat
    { stat=$(<"/proc/$1/stat"); } 2>/dev/null || return 1
    read -ra stat <<<"${stat##*) }"
    # A zombie has ended, unless it is only the first of several threads that has.
    [[ ${stat[0]} != Z || ${stat[17]} -gt 1 ]] || return 1
    echo "${stat[19]}"
}

record_pid() { echo "$1 $(start_time "$1")" >"$RUN/pid"; }

server_pid() {
    local pid rest
    read -r pid rest <"$RUN/pid"
    echo "$pid"
}

running() {
    local pid started
    [[ -s $RUN/pid ]] || return 1
    read -r pid started <"$RUN/pid"
    [[ -n $started && $(start_time "$pid") == "$started" ]]
}

# launch COMMAND...: in a session of its own, without our lock (descriptor 9), its output in the log.
launch() {
    setsid "$@" </dev/null >>"$LOG" 2>&1 9>&- &
    record_pid "$!"
}

stop_running() {
    local pid deadline=$((SECONDS + 60))
    running || return 0
    pid=$(server_pid)
    kill -TERM "$pid" 2>/dev/null || true
    while running; do
        if ((SECONDS >= deadline)); then
            say "does not stop within 60 s: killed"
            kill -KILL "$pid" 2>/dev/null || true
            deadline=$((SECONDS + 60))
        fi
        sleep 0.05
    done
    rm -f "$RUN/pid"
}

port_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# listens_on PID PORT: whether this very process holds a listening TCP socket on the port.
listens_on() {
    local pid=$1 hex inode link
    hex=$(printf ':%04X' "$2")
    # Fields of /proc/net/tcp: 2 local address:port in hexadecimal, 4 state (0A is listening), 10 inode of the socket.
    # shellcheck disable=SC2013
    for inode in $(awk -v port="$hex" 'substr($2, length($2) - 4) == port && $4 == "0A" { print $10 }' \
        /proc/net/tcp /proc/net/tcp6 2>/dev/null); do
        for link in /proc/"$pid"/fd/*; do
            [[ $(readlink "$link" 2>/dev/null) != "socket:[$inode]" ]] || return 0
        done
    done
    return 1
}

# The path of a socket may have 107 bytes at most (sun_path); a deep checkout gets one in the folder for temporary files.
socket_path() {
    local path=$RUN/s.sock
    if ((${#path} > 100)); then
        path=${TMPDIR:-/tmp}/whimbrel-$(printf '%s' "$RUN" | cksum | cut -d' ' -f1).sock
    fi
    echo "$path"
}

log_file() { if declare -F server_log >/dev/null; then server_log; else echo "$LOG"; fi; }

log_tail() {
    local file
    file=$(log_file)
    [[ ! -s $file ]] || tail -n 12 "$file" | sed 's/^/    /' >&2
}

need() { # need PROGRAM PACKAGE: says what to install when a program is missing
    command -v "$1" >/dev/null || fail "$1 is needed: install the package $2"
}

server_started() { :; } # a server's file may replace it: called after every start, when the server answers
