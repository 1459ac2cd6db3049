# shellcheck shell=bash
# Certificates for test servers: an authority of our own, and a server certificate for 127.0.0.1 and localhost.

tls_make() { # tls_make DIR: ca.pem, server.pem, server.key; once
    local dir=$1
    [[ -e $dir/server.pem ]] && return
    need openssl openssl
    rm -rf "$dir"
    mkdir -p "$dir"
    (
        set -e
        cd "$dir" || exit
        umask 077
        openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj '/CN=Whimbrel test authority' -keyout ca.key -out ca.pem
        openssl req -newkey rsa:2048 -nodes -subj '/CN=localhost' -keyout server.key -out server.csr
        openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 3650 -out server.tmp \
            -extfile <(printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=critical,CA:FALSE\n')
        mv server.tmp server.pem
    ) >>"$LOG" 2>&1
}
