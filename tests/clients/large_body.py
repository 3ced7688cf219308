"""Sends a body over the limit with requests, without changes to it: 12 MB, in one piece, which it sends before it reads.

    large_body.py URL

Prints the status and the code of the answer.
"""

import json
import sys

import requests

response = requests.post(
    sys.argv[1], data=b" " * 12_000_000, headers={"content-type": "application/json"}, timeout=10
)
print(json.dumps({"status": response.status_code, "code": response.json()["code"]}), flush=True)
