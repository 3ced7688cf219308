"""The rows with large tables: lists beside a million rows of other subjects, retention of a backlog during sign-ins,
ten thousand polling devices, and a flood of logins. Each prints its result beside the target."""

import base64
import json
import os
import re
import statistics
import subprocess
import threading
import time
from pathlib import Path

WORK = Path(os.environ["BENCH_WORK"])
POLLS = "target/release/examples/polls"
MILLION = 1_000_000
BACKLOG = 300_000
# A plan node in the log of PostgreSQL, without its costs.
NODE = re.compile(r"^\t *(?:-> +)?([A-Z].*?)  \(cost=")


def sql(server, statement):
    """Runs a statement on the server's PostgreSQL and returns its rows as lists of texts."""
    done = subprocess.run(
        ["psql", server.env["DATABASE_URL"], "-qAtc", statement], check=True, capture_output=True, text=True
    )
    return [line.split("|") for line in done.stdout.splitlines()]


def add_accounts(server):
    """Adds other accounts. Both servers get the same number, so that only their sessions differ."""
    sql(
        server,
        "INSERT INTO accounts (id, name, email, status, created_at, updated_at) "
        "SELECT gen_random_uuid(), 'Other', 'other' || n || '@example.com', 'active', now(), now() "
        f"FROM generate_series(1, {MILLION // 2}) AS n",
    )


def add_others(server, count, ended):
    """Adds one session for each of `count` other subjects, alternately accounts and external identities."""
    expires, revoked = (
        ("now() - interval '60 days'", "now() - interval '60 days'")
        if ended
        else ("now() + interval '10 days'", "NULL")
    )
    sql(
        server,
        "WITH others AS (SELECT id, email, row_number() OVER () AS turn FROM accounts WHERE email LIKE 'other%') "
        "INSERT INTO oauth_access_tokens (id, subject_email, subject_issuer, account_id, client_id, device_label, "
        "prefix, token_hash, created_at, expires_at, revoked_at) "
        "SELECT gen_random_uuid(), CASE WHEN n % 2 = 0 THEN o.email ELSE 'guest' || n || '@idp.example' END, "
        "CASE WHEN n % 2 = 0 THEN 'dify:account' ELSE 'https://idp.example' END, "
        "CASE WHEN n % 2 = 0 THEN o.id END, 'difyctl', "
        f"'device ' || n || '{ended}', CASE WHEN n % 2 = 0 THEN 'dfoa_' ELSE 'dfoe_' END, "
        f"{'NULL' if ended else chr(39) + 'x' + chr(39) + ' || md5(n::text)'}, now() - interval '70 days', {expires}, "
        f"({revoked})::timestamptz "
        f"FROM generate_series(1, {count}) AS n JOIN others o ON o.turn = (n + 1) / 2",
    )
    # Otherwise the autovacuum worker could run during a measurement.
    sql(server, "VACUUM (ANALYZE) oauth_access_tokens, accounts")


def plans(server, paths, call):
    """The plan nodes of the service's statements for each path, from the log of PostgreSQL. Sequential scans are off,
    because PostgreSQL always scans a table of one page."""
    name = server.env["DATABASE_URL"].rsplit("/", 1)[1]
    for setting in (
        "session_preload_libraries = 'auto_explain'",
        "auto_explain.log_min_duration = 0",
        "enable_seqscan = off",
    ):
        sql(server, f"ALTER DATABASE {name} SET {setting}")
    server.restart()
    log, found = WORK / "postgres" / "log", {}
    for path in paths:
        # The first request also resolves the token; the second one is typical.
        headers = {"Authorization": f"Bearer {server.token}"}
        call("GET", f"{server.url}{path}", headers=headers)
        time.sleep(1)
        began = log.stat().st_size
        call("GET", f"{server.url}{path}", headers=headers)
        time.sleep(0.5)
        found[path] = [node for line in log.read_bytes()[began:].decode().splitlines() for node in NODE.findall(line)]
    for setting in ("session_preload_libraries", "enable_seqscan"):
        sql(server, f"ALTER DATABASE {name} RESET {setting}")
    server.restart()
    return found


def flat(few, many, seconds, wrk, lua, call):
    """The same lists on two databases that differ only in the sessions of other subjects."""
    for server, count in ((few, 10), (many, MILLION)):
        add_accounts(server)
        add_others(server, count, False)
    paths = ("/openapi/v1/workspaces", "/openapi/v1/account/sessions")
    print(f"\nlists beside 10 and beside {MILLION:,} sessions of others (five interleaved runs)")
    for path in paths:
        medians = {few: [], many: []}
        for _ in range(5):
            for server in (few, many):
                headers = {"Authorization": f"Bearer {server.token}"}
                _, _, (p50, _), errors = wrk(f"{server.url}{path}", seconds, lua(headers=headers))
                assert errors == 0, f"{errors} errors"
                medians[server].append(p50)
        a, b = statistics.median(medians[few]), statistics.median(medians[many])
        print(f"GET {path:30} {a:7.2f} ms and {b:7.2f} ms: {(b / a - 1) * 100:+.1f} % (target: 15 %)")
    beside_few, beside_many = plans(few, paths, call), plans(many, paths, call)
    for path in paths:
        print(f"plan of {path}: {'the same' if beside_few[path] == beside_many[path] else 'NOT the same'}")
        for node in beside_many[path]:
            print(f"    {node}")
        if beside_few[path] != beside_many[path]:
            print("  beside 10:", *beside_few[path], sep="\n    ")


class SignIns:
    """Two threads that repeatedly sign in and approve a device until `stop` is called."""

    def __init__(self, server, call, email, password):
        self.server, self.call, self.over = server, call, threading.Event()
        self.body = {"email": email, "password": base64.b64encode(password.encode()).decode()}
        self.logins, self.mints, self.failures = [], [], []
        self.threads = [threading.Thread(target=self.repeat, args=(n,)) for n in range(2)]
        for thread in self.threads:
            thread.start()

    def repeat(self, number):
        while not self.over.is_set():
            try:
                self.once(number)
            except OSError as failure:
                self.failures.append(str(failure))

    def once(self, number):
        api = f"{self.server.url}/openapi/v1/oauth/device"
        began = time.monotonic()
        response, _ = self.call("POST", f"{self.server.url}/console/api/login", self.body)
        self.logins.append(time.monotonic() - began)
        cookies = dict(cookie.split(";")[0].split("=", 1) for cookie in response.headers.get_all("set-cookie"))
        header = {"cookie": "; ".join(f"{k}={v}" for k, v in cookies.items()), "x-csrf-token": cookies["csrf_token"]}
        codes = self.call("POST", f"{api}/code", {"client_id": "difyctl", "device_label": f"bench {number}"})[1]
        began = time.monotonic()
        self.call("POST", f"{api}/approve", {"user_code": codes["user_code"]}, header)
        self.mints.append(time.monotonic() - began)

    def stop(self):
        self.over.set()
        for thread in self.threads:
            thread.join()
        quantile = lambda times: statistics.quantiles(times, n=100)[98] * 1e3 if len(times) > 1 else 0
        return quantile(self.logins), quantile(self.mints), len(self.mints), len(self.failures)


def retention(server, call, email, password):
    """Retention deletes a backlog of ended sessions during sign-ins."""
    add_others(server, BACKLOG, True)
    sign_ins = SignIns(server, call, email, password)
    time.sleep(10)
    before = sign_ins.stop()
    # Retention runs at the start of a server that gets the lease; the separate key prefix makes sure of that.
    server.restart(REDIS_KEY_PREFIX="retention")
    sign_ins, began = SignIns(server, call, email, password), time.monotonic()
    left = BACKLOG
    while left and time.monotonic() - began < 180:
        time.sleep(1)
        left = int(
            sql(server, "SELECT count(*) FROM oauth_access_tokens WHERE revoked_at < now() - interval '30 days'")[0][0]
        )
    took, during = time.monotonic() - began, sign_ins.stop()
    print(
        f"\nretention of {BACKLOG:,} ended sessions beside {MILLION:,} live ones: "
        f"{BACKLOG - left:,} gone in {took:.0f} s"
    )
    for what, index in (("login", 0), ("mint", 1)):
        print(f"{what} p99 before {before[index]:7.1f} ms, meanwhile {during[index]:7.1f} ms")
    print(f"mints before {before[2]}, meanwhile {during[2]}; failures {before[3] + during[3]} (target: 0)")


def waiting(server, cpu_seconds, rss, seconds=30):
    """Ten thousand devices poll one process every five seconds."""
    pid = server.process.pid
    driver = subprocess.Popen([POLLS, server.url, "10000", str(seconds)], stdout=subprocess.PIPE, text=True)
    driver.stdout.readline()
    time.sleep(6)
    memory, cpu, began = rss(pid), cpu_seconds(pid), time.monotonic()
    time.sleep(seconds - 8)
    cores = (cpu_seconds(pid) - cpu) / (time.monotonic() - began)
    grown = rss(pid) - memory
    polls = json.loads(driver.communicate()[0].splitlines()[-1])
    print(
        f"\n10,000 devices wait: {cores:.2f} cores (target: 0.50), memory {grown:+.1f} MB after {memory:.1f} MB, "
        f"{polls['polls']} polls, {polls['others']} answered otherwise, "
        f"p50 {polls['p50']:.2f} ms, p99 {polls['p99']:.2f} ms"
    )


def flood(server, wrk, lua, seconds=15):
    """Sends wrong passwords at full speed while devices poll."""
    driver = subprocess.Popen([POLLS, server.url, "500", str(seconds)], stdout=subprocess.PIPE, text=True)
    driver.stdout.readline()
    body = json.dumps({"email": "bench@example.com", "password": base64.b64encode(b"wrong").decode()})
    _, requests, _, _ = wrk(
        f"{server.url}/console/api/login", seconds, lua("POST", {"Content-Type": "application/json"}, body)
    )
    polls = json.loads(driver.communicate()[0].splitlines()[-1])
    print(
        f"\nlogin flood: {requests / seconds:.0f} logins a second answered; polls meanwhile p50 {polls['p50']:.2f} ms, "
        f"p99 {polls['p99']:.2f} ms (target: 20 ms), {polls['others']} answered otherwise"
    )
