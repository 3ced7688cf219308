"""Holds rendered manifests to Kubernetes' schemas and to what this chart promises. Reads files of `helm template`."""

import functools
import json
import pathlib
import sys

import jsonschema
import yaml
from kubernetes_validate import utils

# The oldest version the chart claims and the newest the package knows.
VERSIONS = ["1.27.0", utils.latest_version()]
HERE = pathlib.Path(__file__).parent
CUSTOM = json.loads((HERE / "custom-kinds.json").read_text())
SCHEMA = json.loads((HERE / "dify-openapi/values.schema.json").read_text())
SECRETS = set(SCHEMA["definitions"]["secretVariable"]["enum"]) - {
    # Not secret by themselves, but often kept beside the password.
    "DB_USERNAME",
    "REDIS_USERNAME",
    "REDIS_SENTINEL_USERNAME",
}

# Without this the definitions, of some megabytes, are read again for each manifest.
utils.schema_contents = functools.cache(utils.schema_contents)

faults = []


def expect(holds, where, what):
    if not holds:
        faults.append(f"{where}: {what}")


def check_schema(manifest, where):
    kind = f"{manifest['apiVersion']} {manifest['kind']}"
    try:
        if kind in CUSTOM:
            jsonschema.validate(manifest["spec"], {**CUSTOM[kind], "$defs": CUSTOM["$defs"]})
            return
        for version in VERSIONS:
            utils.validate(manifest, version, strict=True)
    except (utils.SchemaNotFoundError, jsonschema.ValidationError) as fault:
        path = ".".join(str(part) for part in getattr(fault, "absolute_path", []))
        faults.append(f"{where}: {path} {fault.message}")


def pod_of(manifest):
    if manifest["kind"] == "Pod":
        return manifest["spec"]
    return manifest["spec"]["template"]["spec"] if manifest["kind"] in ("Deployment", "Job") else None


def check_pod(pod, where):
    expect(pod.get("automountServiceAccountToken") is False, where, "mounts a token")
    expect(pod.get("enableServiceLinks") is False, where, "takes variables from Services")
    expect(pod["securityContext"].get("runAsNonRoot") is True, where, "may run as root")
    expect(pod["securityContext"].get("seccompProfile") == {"type": "RuntimeDefault"}, where, "lacks seccomp")
    for container in pod["containers"]:
        context = container["securityContext"]
        expect(context.get("readOnlyRootFilesystem") is True, where, "may write to its root")
        expect(context.get("allowPrivilegeEscalation") is False, where, "may gain privileges")
        expect(context.get("capabilities") == {"drop": ["ALL"]}, where, "keeps capabilities")
        resources = container.get("resources", {})
        expect(resources.get("requests") and "memory" in resources.get("limits", {}), where, "lacks resources")
        names = [variable["name"] for variable in container.get("env", [])]
        expect(len(names) == len(set(names)), where, "sets a variable twice")
        for variable in container.get("env", []):
            literal = "value" in variable and variable["name"] in SECRETS
            expect(not literal, where, f"has {variable['name']} in clear")


def check_templates(manifests, where):
    """A new version of the chart alone rolls no pods, and the Job's pods go where the server's go."""
    pods = {m["kind"]: m["spec"]["template"] for m in manifests if m["kind"] in ("Deployment", "Job")}
    for kind, template in pods.items():
        expect("helm.sh/chart" not in template["metadata"]["labels"], where, f"{kind}'s pods are labelled with the chart's version")
    for member in ("priorityClassName", "nodeSelector", "affinity", "tolerations"):
        wanted = {json.dumps(template["spec"].get(member), sort_keys=True) for template in pods.values()}
        expect(len(wanted) == 1, where, f"Deployment and Job differ in {member}")


def check_references(manifests, where):
    """What a manifest points at in this release exists, for hooks among what runs before them."""
    def named(kind, hooks):
        made = [m for m in manifests if m["kind"] == kind]
        return {m["metadata"]["name"] for m in made if ("helm.sh/hook" in m["metadata"].get("annotations", {})) == hooks}

    full = next(m["metadata"]["name"] for m in manifests if m["kind"] == "Deployment")
    for manifest in manifests:
        pod = pod_of(manifest)
        if not pod:
            continue
        before = manifest["kind"] == "Job"
        for container in pod["containers"]:
            for source in container.get("envFrom", []):
                name = source["configMapRef"]["name"]
                expect(name in named("ConfigMap", before), where, f"{manifest['kind']} reads the missing ConfigMap {name}")
            for variable in container.get("env", []):
                name = variable.get("valueFrom", {}).get("secretKeyRef", {}).get("name", "")
                if name.startswith(full) and named("Secret", False):
                    expect(name in named("Secret", before), where, f"{manifest['kind']} reads the missing Secret {name}")


def check_routes(manifests, where):
    """Routes lead to the public Service's ports only, on hosts that are named, and never to /inner/api."""
    ports = {}
    for manifest in manifests:
        if manifest["kind"] == "Service" and manifest["metadata"]["labels"]["app.kubernetes.io/component"] == "public":
            for port in manifest["spec"]["ports"]:
                ports[port["name"]] = ports[port["port"]] = manifest["metadata"]["name"]
                expect(port["targetPort"] == "http", where, "the public Service leads past the public listener")
    for manifest in manifests:
        spec, kind = manifest.get("spec", {}), manifest["kind"]
        if kind == "Ingress":
            for rule in spec["rules"]:
                expect(rule.get("host"), where, "an Ingress is for every host")
                for path in rule["http"]["paths"]:
                    service = path["backend"]["service"]
                    expect(ports.get(service["port"]["name"]) == service["name"], where, f"{path['path']} leads elsewhere")
        if kind in ("HTTPRoute", "GRPCRoute"):
            for backend in (backend for rule in spec["rules"] for backend in rule["backendRefs"]):
                expect(ports.get(backend["port"]) == backend["name"], where, f"{kind} leads elsewhere")
        if kind in ("Ingress", "HTTPRoute", "GRPCRoute"):
            text = json.dumps(spec)
            expect("/inner" not in text and "TokenService" not in text, where, f"{kind} leads to inner methods")


def main(files):
    count = 0
    for file in files:
        manifests = [m for m in yaml.safe_load_all(pathlib.Path(file).read_text()) if m]
        render = pathlib.Path(file).stem
        for manifest in manifests:
            where = f"{render}: {manifest['kind']} {manifest['metadata']['name']}"
            check_schema(manifest, where)
            count += 1
            if pod := pod_of(manifest):
                check_pod(pod, where)
            if manifest["kind"] == "ConfigMap":
                leaked = SECRETS & set(manifest["data"])
                expect(not leaked, where, f"holds {leaked}")
        check_templates(manifests, render)
        check_references(manifests, render)
        check_routes(manifests, render)
    for fault in faults:
        print(fault, file=sys.stderr)
    print(f"{count} manifests of {len(files)} renders, against Kubernetes {' and '.join(VERSIONS)}")
    sys.exit(bool(faults))


main(sys.argv[1:])
