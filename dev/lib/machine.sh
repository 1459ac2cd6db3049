# shellcheck shell=bash
# What the scripts need of the machine itself, beyond Rust.

machine_lacks() { # machine_lacks [PROGRAM:PACKAGE...]: the packages that are missing, these and what everything needs
    local missing=() pair
    command -v python3 >/dev/null || missing+=(python3)
    python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
    command -v openssl >/dev/null || missing+=(openssl)
    command -v cc >/dev/null || missing+=(gcc libc6-dev)
    for pair in "$@"; do
        command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
    done
    echo "${missing[@]}"
}

# machine_prepare [PROGRAM:PACKAGE...]: on a Debian that has just been made, as root, gets the package lists and what is
# missing (in a container there is nobody else to do it); otherwise says what to run.
machine_prepare() {
    local missing
    command -v cargo >/dev/null || fail "Rust is needed: https://rustup.rs"
    missing=$(machine_lacks "$@")
    if [[ -n $missing || -z $(apt-get indextargets --format '$(SITE)' 'Origin: Debian' 2>/dev/null) ]]; then
        [[ $(id -u) == 0 ]] || fail "run once as root: apt-get update && apt-get install -y --no-install-recommends ${missing:-openssl}"
        say "getting package lists${missing:+ and $missing} (apt-get)"
        apt-get update -qq
        # shellcheck disable=SC2086
        [[ -z $missing ]] || DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
    fi
}
