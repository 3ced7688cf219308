"""Counts the instructions of a server in user mode with Valgrind. Unlike CPU time, they do not depend on what else the
machine does, so that differences of a percent are seen."""

import re
import signal
import subprocess
import time

from server import WORK, wait_for_port

# Two counts are subtracted, so that the start does not matter.
FEW, MANY = 500, 2500


def count(server, variables, requests):
    """Instructions of a process that serves `requests` and ends. The server itself is stopped."""
    out = WORK / "callgrind.out"
    command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", server.binary, "serve"]
    with open(WORK / "callgrind.log", "w+") as log:
        process = subprocess.Popen(command, env={**server.env, **variables}, stdout=subprocess.DEVNULL, stderr=log)
        try:
            wait_for_port(server.port)
            load = ["h2load", "--h1", "-n", str(requests), "-c", "2", "-H", f"authorization: Bearer {server.token}"]
            done = subprocess.run([*load, f"{server.url}/openapi/v1/account"], capture_output=True, text=True)
            assert f"status codes: {requests} 2xx" in done.stdout, done.stdout + done.stderr
            # The last spans.
            time.sleep(3)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()
        log.seek(0)
        return int(re.search(r"Collected : (\d+)", log.read())[1])


def per_request(server, **variables):
    return (count(server, variables, MANY) - count(server, variables, FEW)) / (MANY - FEW)
