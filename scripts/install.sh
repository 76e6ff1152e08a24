#!/bin/sh
# Installs what is missing on Debian or Ubuntu: `install.sh run` for running, `install.sh test` for the tests.
# Asks apt only for packages that are not there; works as root or with sudo; says what it could not install.
set -eu

run_packages="build-essential pkg-config libssl-dev softhsm2"
# The real clients and servers that the tests drive. A test whose client is missing shows as ignored.
test_packages="$run_packages postgresql curl openssl chrony osslsigncode strace python3-venv iproute2 util-linux procps
nginx-light libnss3-tools gnutls-bin faketime gpgsm
openjdk-17-jdk-headless libbcprov-java libbcpkix-java libbcutil-java"

case "${1:-}" in
run) wanted="$run_packages" ;;
test) wanted="$test_packages" ;;
bench) wanted="$run_packages wrk postgresql nginx-light" ;;
*) echo "usage: $0 run|test|bench" >&2; exit 2 ;;
esac

missing=""
for package in $wanted; do
    state=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
    echo "install.sh: no apt-get here; please install these yourself:$missing" >&2
    exit 0
fi
as_root=""
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "install.sh: neither root nor sudo; please have these installed:$missing" >&2
        exit 0
    fi
    as_root=sudo
fi

echo "Installing:$missing"
$as_root apt-get update -qq || echo "install.sh: apt-get update failed; trying with the lists at hand" >&2
# One at a time after a failure, so that one package that is not to be had does not keep the others away.
# Services that the packages bring are not started: the tests start their own.
policy=""
if [ ! -e /usr/sbin/policy-rc.d ]; then
    printf '#!/bin/sh\nexit 101\n' | $as_root tee /usr/sbin/policy-rc.d >/dev/null
    $as_root chmod 755 /usr/sbin/policy-rc.d
    policy=ours
fi
restore() { [ -z "$policy" ] || $as_root rm -f /usr/sbin/policy-rc.d; }
trap restore EXIT
install() { $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null; }
# shellcheck disable=SC2086
if ! install $missing; then
    for package in $missing; do
        install "$package" || echo "install.sh: could not install $package" >&2
    done
fi
