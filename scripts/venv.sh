#!/bin/sh
# Makes .venv with the Python clients and linters that the tests drive, pinned in tests/clients/requirements.txt.
set -eu
cd "$(dirname "$0")/.."
wanted=tests/clients/requirements.txt
stamp=.venv/installed.txt
if [ -f "$stamp" ] && cmp -s "$stamp" "$wanted"; then
    exit 0
fi
if python3 -m venv .venv && .venv/bin/pip install --quiet --disable-pip-version-check -r "$wanted"; then
    cp "$wanted" "$stamp"
else
    echo "venv.sh: the Python clients could not be installed; their tests will show as ignored" >&2
fi
