# shellcheck shell=bash
# Programs out of Debian packages of any release, unpacked beside the system: no root, no change to the system's packages.
#
# A private apt root resolves the packages with all their libraries, the C library included; dpkg-deb unpacks them, and
# the release's own dynamic loader runs the programs.

debian_mirror() { # debian_mirror GREP-ARGUMENT...: the machine's own mirror
    # shellcheck disable=SC2016
    apt-get indextargets --format '$(SITE)' 'Origin: Debian' | sort -u | grep "$@" | head -n 1
}

# debian_unpack DIR SUITE PACKAGE...: the packages with what they need into DIR; a package written +NAME comes alone.
debian_unpack() {
    local root=$1 suite=$2 work=$1.apt keyring=/usr/share/keyrings/debian-archive-keyring.gpg package mirror security
    local whole=() alone=() opts
    shift 2
    need apt-get apt
    need dpkg-deb dpkg
    [[ -e $keyring ]] || fail "Debian's keys are needed: install the package debian-archive-keyring"
    mirror=$(debian_mirror -v security) || true
    [[ -n $mirror ]] || fail "apt knows no Debian mirror: run apt-get update (as root) once"
    for package in "$@"; do
        if [[ $package == +* ]]; then alone+=("${package#+}"); else whole+=("$package"); fi
    done
    rm -rf "$work" "$root"
    mkdir -p "$work"/{lists/partial,cache/archives/partial,state} "$root"
    : >"$work/status"
    echo "deb [signed-by=$keyring] $mirror $suite main" >"$work/sources.list"
    security=$(debian_mirror security) || true
    if [[ $suite != sid && -n $security ]]; then
        echo "deb [signed-by=$keyring] $security $suite-security main" >>"$work/sources.list"
    fi
    # The sandbox user of apt could not write to a folder that belongs to somebody else.
    opts=(-o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=- -o Dir::State="$work/state"
        -o Dir::State::lists="$work/lists" -o Dir::State::status="$work/status" -o Dir::Cache="$work/cache"
        -o APT::Install-Recommends=false -o Acquire::Languages=none -o Debug::NoLocking=true -o Acquire::Retries=3
        -o APT::Sandbox::User="$(id -un)")
    apt-get "${opts[@]}" update -qq
    apt-get "${opts[@]}" install -y --download-only -qq "${whole[@]}" >/dev/null
    if ((${#alone[@]})); then
        (cd "$work/cache/archives" && apt-get "${opts[@]}" download -qq "${alone[@]}")
    fi
    for package in "$work"/cache/archives/*.deb; do dpkg-deb -x "$package" "$root"; done
    rm -rf "$work"
}

# debian_programs ROOT BIN PROGRAM...: for each program of the unpacked release an executable in BIN that runs it in place
# (exec: its process id is the program's). The array PROGRAM_ENV may hold NAME=VALUE pairs for them.
debian_programs() {
    local root=$1 bin=$2 triplet loader program pair
    shift 2
    triplet=$(uname -m)-linux-gnu
    # Before Debian 13 the C library's package has its files in /lib, since then in /usr/lib.
    loader=$(compgen -G "$root/usr/lib/$triplet/ld-linux-*.so.*" || compgen -G "$root/lib/$triplet/ld-linux-*.so.*") ||
        fail "no dynamic loader in $root"
    mkdir -p "$bin"
    for program in "$@"; do
        {
            echo '#!/bin/bash'
            for pair in ${PROGRAM_ENV[@]+"${PROGRAM_ENV[@]}"}; do printf 'export %s=%q\n' "${pair%%=*}" "${pair#*=}"; done
            printf 'exec %q --library-path %q %q "$@"\n' "${loader%%$'\n'*}" \
                "$root/usr/lib/$triplet:$root/lib/$triplet:$root/usr/lib/mysql/private" "$root$program"
        } >"$bin/${program##*/}"
        chmod +x "$bin/${program##*/}"
    done
}
