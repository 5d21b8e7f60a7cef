# What the scripts share. Sourced, with $root the folder of the clone.

# What windlass itself needs; as root gears have networks and disks of their own.
gears="git:git bwrap:bubblewrap venv:python3-venv"
if [ "$(id -u)" = 0 ]; then
    gears="$gears ip:iproute2 nft:nftables mkfs.ext4:e2fsprogs"
fi

# needs PROGRAM:PACKAGE ... - as root installs the Debian packages whose program is missing;
# as another user names the one command that does, and ends.
needs() {
    missing=""
    for pair; do
        has "${pair%%:*}" || missing="$missing ${pair#*:}"
    done
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "Some packages are missing. As root run:  apt-get install -y$missing" >&2
        exit 1
    fi
    echo "Installing Debian packages:$missing" >&2
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq </dev/null >&2
    apt-get install -y -qq --no-install-recommends $missing </dev/null >&2
}

has() {
    case $1 in
    venv) [ -x "$root/.venv/bin/python" ] || { python=$(find_python) && "$python" -c 'import ensurepip' 2>/dev/null; } ;;
    initdb) ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null ;;
    *) command -v "$1" >/dev/null ;;
    esac
}

# The system's own Python first: it does not vanish with somebody's home.
find_python() {
    for candidate in /usr/bin/python3 python3 python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then
            command -v "$candidate"
            return 0
        fi
    done
    return 1
}

# install [EXTRAS] - .venv with windlass in it, again when pyproject.toml or the folder has changed.
install() {
    venv="$root/.venv"
    stamp="$venv/installed${1-}"
    wanted="$root $(cksum <"$root/pyproject.toml")"
    if ! "$venv/bin/python" -c '' 2>/dev/null; then
        python=$(find_python) || {
            echo "windlass needs Python 3.11, 3.12 or 3.13, and there is none on the PATH" >&2
            exit 1
        }
        rm -rf "$venv"
        "$python" -m venv "$venv"
    fi
    if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
        echo "Installing windlass into $venv" >&2
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --editable "$root${1-}" </dev/null >&2
        printf '%s\n' "$wanted" >"$stamp"
    fi
}
