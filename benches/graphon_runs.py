"""Runs an app on graphon as the differential test does, and prints `{"cpu", "wall", "outputs"}` as JSON, in seconds.

    graphon_runs.py FILE UPSTREAM RUNS INPUTS
"""

import json
import logging
import resource
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests/differential"))

import httpx
import yaml
from oracle import run_turn

SYSTEM = {
    "user_id": "u", "app_id": "a", "workflow_id": "w", "workflow_run_id": "r", "files": [], "timestamp": 1_700_000_000,
}


def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main():
    path, upstream, runs, inputs = sys.argv[1], sys.argv[2], int(sys.argv[3]), json.loads(sys.argv[4])
    logging.disable(logging.CRITICAL)
    workflow = yaml.safe_load(Path(path).read_text())["workflow"]
    client = httpx.Client(base_url=upstream, timeout=60, trust_env=False)

    def run():
        observation, _ = run_turn(client, workflow, {"inputs": inputs}, SYSTEM, {}, None)
        if observation["run"]["status"] != "succeeded":
            sys.exit(f"graphon: {observation['run']}")
        return observation["run"]["outputs"]

    outputs = run()
    before, started = cpu(), time.monotonic()
    for _ in range(runs):
        run()
    print(json.dumps({"cpu": cpu() - before, "wall": time.monotonic() - started, "outputs": outputs}))


if __name__ == "__main__":
    main()
