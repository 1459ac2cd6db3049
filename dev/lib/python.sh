# shellcheck shell=bash
# One Python virtual environment, shared by all that comes from Python packages.

python_install() { # python_install PACKAGE...: into the environment $PYTHON_ENV, one at a time
    PYTHON_ENV=$SERVERS_DIST/python
    need python3 python3
    (
        exec 8>"$SERVERS_DIST/python.lock"
        flock 8
        if [[ ! -x $PYTHON_ENV/bin/pip ]]; then
            python3 -m venv "$PYTHON_ENV" || fail "no virtual environment: install the package python3-venv"
        fi
        "$PYTHON_ENV/bin/pip" install --quiet --disable-pip-version-check "$@"
    )
}
