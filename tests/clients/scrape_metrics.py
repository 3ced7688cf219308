"""Reads /metrics in both text formats with the parsers of the package prometheus_client.

    scrape_metrics.py URL

Prints one JSON object: the families of both formats by name with their type, the units of OpenMetrics, and the exemplars
with the bounds of their bucket. A text that a parser rejects ends the script.
"""

import json
import sys

import requests
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

# What Prometheus 2 sends.
PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)


def scrape(url, accept):
    answer = requests.get(url, headers={"accept": accept} if accept else {}, timeout=10)
    answer.raise_for_status()
    return answer.headers["content-type"], answer.text


def exemplars(families):
    for family in families:
        below = {}
        for sample in family.samples:
            if not sample.name.endswith("_bucket"):
                continue
            labels = {name: value for name, value in sample.labels.items() if name != "le"}
            series = json.dumps(labels, sort_keys=True)
            bound = float(sample.labels["le"])
            if sample.exemplar is not None:
                yield {
                    "family": family.name,
                    "labels": labels,
                    "above": below.get(series, 0),
                    "to": None if bound == float("inf") else bound,
                    "exemplar": sample.exemplar.labels,
                    "value": sample.exemplar.value,
                    "time": float(sample.exemplar.timestamp),
                }
            below[series] = bound


def samples(families):
    """The series without their values. The two formats write bounds differently."""
    for family in families:
        for sample in family.samples:
            labels = {name: float(value) if name == "le" else value for name, value in sample.labels.items()}
            yield sample.name, json.dumps(labels, sort_keys=True)


def main(url):
    openmetrics_type, openmetrics = scrape(url, PROMETHEUS)
    text_type, text = scrape(url, "text/plain")
    found = list(parse_openmetrics(openmetrics))
    only_openmetrics = set(samples(found)) - set(samples(parse_text(text)))
    print(
        json.dumps(
            {
                "content_types": [openmetrics_type, text_type, scrape(url, None)[0]],
                "types": {family.name: family.type for family in found},
                "units": {family.name: family.unit for family in found if family.unit},
                "exemplars": list(exemplars(found)),
                "only_openmetrics": sorted(only_openmetrics),
                "text": text,
            }
        ),
        flush=True,
    )


main(*sys.argv[1:])
