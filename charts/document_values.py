"""Writes charts/dify-openapi/README.md from the chart's values and from the descriptions of their schema.

    document_values.py           writes the file
    document_values.py --check   fails if the file is not current, or if a value has no description
"""

import json
import pathlib
import sys

import yaml

CHART = pathlib.Path(__file__).parent / "dify-openapi"
HEAD = """# The Helm chart of dify-openapi

Three settings are required: `config.CONSOLE_WEB_URL`, the secret (`secret.existingSecret`, `.data` or `.from`), and
`networkPolicy.egress`. Complete files are in [examples/](examples/).

```console
helm install dify-openapi charts/dify-openapi -f charts/dify-openapi/examples/beside-dify.yaml
```

The variables of `config` and of the secret are in [docs/configuration.md](../../docs/configuration.md). Unknown values
are refused.

## Values

Generated from `values.yaml` and `values.schema.json` by `charts/document_values.py`.

| value | default | meaning |
|---|---|---|
"""


def rows(schema, values, prefix=""):
    """The values below `schema`, in its order, as (path, default, description)."""
    for name, part in schema["properties"].items():
        path, value = prefix + name, values.get(name)
        if "description" in part:
            yield path, value, part["description"]
        elif "properties" in part:
            yield from rows(part, value or {}, path + ".")
        else:
            sys.exit(f"values.schema.json: {path} has no description")


def text(value):
    return "" if value in (None, "", {}, []) else f"`{json.dumps(value, ensure_ascii=False)}`"


def main():
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    undescribed = values.keys() - schema["properties"].keys()
    if undescribed:
        sys.exit(f"values.schema.json lacks {sorted(undescribed)}")
    table = "".join(f"| `{path}` | {text(value)} | {meaning} |\n" for path, value, meaning in rows(schema, values))
    target = CHART / "README.md"
    if "--check" not in sys.argv:
        target.write_text(HEAD + table)
    elif not target.exists() or target.read_text() != HEAD + table:
        sys.exit(f"{target} is not current; run charts/document_values.py")


main()
