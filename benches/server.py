"""A server process of the benches and what it needs: stores, an account with a token, CPU time and memory from /proc."""

import base64
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

WORK = Path(os.environ["BENCH_WORK"])
TICK = os.sysconf("SC_CLK_TCK")
SERVICE_KEY = "the-internal-services-of-the-benches"
EMAIL, PASSWORD = "bench@example.com", "bench-password-1"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def cpu_seconds(pid, children=False):
    """User and system time in seconds of a process, with its running and reaped children if wanted."""

    def one(p):
        fields = Path(f"/proc/{p}/stat").read_text().rsplit(")", 1)[1].split()
        return sum(int(field) for field in fields[11:15]) / TICK

    total = one(pid)
    if children:
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            try:
                total += one(child)
            except FileNotFoundError:
                pass
    return total


def limits_off(binary, env):
    """All rate limits of a binary, switched off. Another binary may have fewer of them, and rejects others."""
    refused = subprocess.run(
        [binary, "check-config"], env={**env, "OPENAPI_RATE_LIMITS": "none=0"}, capture_output=True, text=True
    )
    listed = re.search(r"the limits are ([a-z_, ]+)", refused.stdout + refused.stderr)[1]
    return ",".join(f"{name}=0" for name in listed.split(", "))


def call(method, url, body=None, headers=None):
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(url, data=data, method=method, headers=headers or {})
    if data:
        request.add_header("content-type", "application/json")
    with urllib.request.urlopen(request) as response:
        raw = response.read()
        return response, json.loads(raw) if raw else None


class Server:
    """A `serve` process on one pair of stores, with the token of one account."""

    def __init__(self, stores, name="bench", binary="target/release/dify-openapi"):
        self.stores, self.binary = stores, binary
        self.port, self.inner, self.grpc, self.admin = (free_port() for _ in range(4))
        self.url = f"http://127.0.0.1:{self.port}"
        data = WORK / f"data-{stores}-{name}"
        data.mkdir()
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(WORK),
            "DEPLOY_ENV": "DEVELOPMENT",
            "SECRET_KEY": "a secret of the benches, long enough to be one",
            "DATA_DIR": str(data),
            "CONSOLE_WEB_URL": self.url,
            "LISTEN": f"127.0.0.1:{self.port}",
            "INNER_LISTEN": f"127.0.0.1:{self.inner}",
            "GRPC_LISTEN": f"127.0.0.1:{self.grpc}",
            "ADMIN_LISTEN": f"127.0.0.1:{self.admin}",
            "INNER_API_KEY": SERVICE_KEY,
            "LOG_OUTPUT_FORMAT": "json",
        }
        if stores == "postgres+redis":
            admin = os.environ["TEST_POSTGRES_URL"]
            subprocess.run(["psql", admin, "-qc", f"CREATE DATABASE {name}"], check=True)
            self.env["DATABASE_URL"] = admin.rsplit("/", 1)[0] + f"/{name}"
            self.env["REDIS_URL"] = os.environ["TEST_REDIS_URL"]
            self.env["REDIS_KEY_PREFIX"] = name
        else:
            self.env["DATABASE_URL"] = f"sqlite://{data}/bench.db?mode=rwc"
        self.env["OPENAPI_RATE_LIMITS"] = limits_off(binary, self.env)
        self.command("migrate", "up")
        self.command("account", "create", EMAIL, "--name", "Bench", stdin=PASSWORD)
        self.command("workspace", "create", "Bench Workspace", "--owner", EMAIL)
        self.start()
        self.idle_rss = rss(self.process.pid)
        self.token = self.sign_in()

    def start(self, **more):
        self.started = time.monotonic()
        self.log = open(WORK / f"serve-{self.stores}.log", "ab")
        self.process = subprocess.Popen(
            [self.binary, "serve"], env={**self.env, **more}, stdout=self.log, stderr=self.log
        )
        wait_for_port(self.port)
        self.ready = time.monotonic() - self.started
        time.sleep(0.5)

    def restart(self, **more):
        self.stop()
        self.start(**more)

    def command(self, *words, stdin=None):
        done = subprocess.run(
            [self.binary, *words], env=self.env, input=(stdin or "").encode(), capture_output=True
        )
        if done.returncode:
            sys.exit(f"{' '.join(words)}: {done.stderr.decode()}")

    def device_code(self):
        return call("POST", f"{self.url}/openapi/v1/oauth/device/code", {"client_id": "difyctl"})[1]

    def console_session(self):
        """The headers of a signed-in browser."""
        password = base64.b64encode(PASSWORD.encode()).decode()
        response, _ = call("POST", f"{self.url}/console/api/login", {"email": EMAIL, "password": password})
        cookies = dict(cookie.split(";")[0].split("=", 1) for cookie in response.headers.get_all("set-cookie"))
        return {"cookie": "; ".join(f"{k}={v}" for k, v in cookies.items()), "x-csrf-token": cookies["csrf_token"]}

    def sign_in(self):
        codes = self.device_code()
        body = {"user_code": codes["user_code"]}
        call("POST", f"{self.url}/openapi/v1/oauth/device/approve", body, self.console_session())
        polled = call(
            "POST",
            f"{self.url}/openapi/v1/oauth/device/token",
            {"client_id": "difyctl", "device_code": codes["device_code"]},
        )[1]
        return polled["token"]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


def wait_for_port(port):
    for _ in range(15000):
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
            return
        except OSError:
            time.sleep(0.002)
    sys.exit(f"nothing listens on {port}")


def rss(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) / 1024
