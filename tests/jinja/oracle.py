"""Renders the templates on standard input with Jinja2: {"values": …, "templates": […]} → one JSON value per line."""

import json
import sys
import warnings

import jinja2

warnings.simplefilter("ignore")
request = json.load(sys.stdin)
for template in request["templates"]:
    values = json.loads(json.dumps(request["values"]))
    try:
        result = jinja2.Template(template).render(**values)
    except Exception:
        result = None
    print(json.dumps(result))
