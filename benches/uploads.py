"""Uploads of 10 MB: CPU, throughput, and how much the memory of the server grows while many of them are under way."""

import http.client
import os
import re
import threading
import time
from pathlib import Path

SIZE = 10_000_000
PARALLEL = 8
BOUNDARY = "bench-boundary"


def peak(pid):
    """The peak of the resident memory in MB since `reset_peak`."""
    return int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) / 1024


def reset_peak(pid):
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def body():
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="bench.bin"\r\n\r\n'
    return head.encode() + os.urandom(SIZE) + f"\r\n--{BOUNDARY}--\r\n".encode()


def uploads(server, url, cpu_seconds, rss, times=40):
    """Prints the row. `url` is the address of the uploads of an app."""
    path, contents = url.removeprefix(server.url), body()
    headers = {"Authorization": f"Bearer {server.token}", "Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    failed, left = [], iter(range(times))
    lock = threading.Lock()

    def upload_all():
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        while True:
            with lock:
                if next(left, None) is None:
                    return
            connection.request("POST", path, contents, headers)
            response = connection.getresponse()
            response.read()
            if response.status != 201:
                failed.append(response.status)

    pid = server.process.pid
    before, cpu, started = rss(pid), cpu_seconds(pid), time.monotonic()
    reset_peak(pid)
    threads = [threading.Thread(target=upload_all) for _ in range(PARALLEL)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took, cpu = time.monotonic() - started, cpu_seconds(pid) - cpu
    print(
        f"upload of {SIZE / 1e6:.0f} MB, {PARALLEL} at a time: {times * SIZE / 1e6 / took:.0f} MB/s, "
        f"{cpu * 1e3 / times:.0f} ms of CPU each, memory {before:.1f} MB before and {peak(pid):.1f} MB at most, "
        f"{len(failed)} errors"
    )
