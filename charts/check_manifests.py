"""Validates manifests of `helm template` against Kubernetes' schemas and against the rules of this chart."""

import functools
import json
import pathlib
import sys

import jsonschema
import yaml
from kubernetes_validate import utils

# The oldest version that the chart supports and the newest that the package knows.
VERSIONS = ["1.27.0", utils.latest_version()]
HERE = pathlib.Path(__file__).parent
CUSTOM = json.loads((HERE / "custom-kinds.json").read_text())
SCHEMA = json.loads((HERE / "dify-openapi/values.schema.json").read_text())
SECRETS = set(SCHEMA["definitions"]["secretVariable"]["enum"]) - {
    # These are not secrets, but are often stored beside the password.
    "DB_USERNAME",
    "REDIS_USERNAME",
    "REDIS_SENTINEL_USERNAME",
}

# Caches the definitions of several megabytes, which are otherwise read for every manifest.
utils.schema_contents = functools.cache(utils.schema_contents)

problems = []


def require(holds, where, what):
    if not holds:
        problems.append(f"{where}: {what}")


def check_schema(manifest, where):
    kind = f"{manifest['apiVersion']} {manifest['kind']}"
    try:
        if kind in CUSTOM:
            jsonschema.validate(manifest["spec"], {**CUSTOM[kind], "$defs": CUSTOM["$defs"]})
            return
        for version in VERSIONS:
            utils.validate(manifest, version, strict=True)
    except (utils.SchemaNotFoundError, jsonschema.ValidationError) as error:
        path = ".".join(str(part) for part in getattr(error, "absolute_path", []))
        problems.append(f"{where}: {path} {error.message}")


def pod_of(manifest):
    if manifest["kind"] == "Pod":
        return manifest["spec"]
    return manifest["spec"]["template"]["spec"] if manifest["kind"] in ("Deployment", "Job") else None


def check_pod(pod, where):
    require(pod.get("automountServiceAccountToken") is False, where, "mounts a token")
    require(pod.get("enableServiceLinks") is False, where, "takes variables from Services")
    require(pod["securityContext"].get("runAsNonRoot") is True, where, "may run as root")
    require(pod["securityContext"].get("seccompProfile") == {"type": "RuntimeDefault"}, where, "lacks seccomp")
    for container in pod["containers"]:
        context = container["securityContext"]
        require(context.get("readOnlyRootFilesystem") is True, where, "may write to its root")
        require(context.get("allowPrivilegeEscalation") is False, where, "may gain privileges")
        require(context.get("capabilities") == {"drop": ["ALL"]}, where, "keeps capabilities")
        resources = container.get("resources", {})
        require(resources.get("requests") and "memory" in resources.get("limits", {}), where, "lacks resources")
        names = [variable["name"] for variable in container.get("env", [])]
        require(len(names) == len(set(names)), where, "sets a variable twice")
        for variable in container.get("env", []):
            literal = "value" in variable and variable["name"] in SECRETS
            require(not literal, where, f"has {variable['name']} in clear")


def check_templates(manifests, where):
    """A new chart version alone does not restart pods, and the pods of the Job have the scheduling of the server."""
    pods = {m["kind"]: m["spec"]["template"] for m in manifests if m["kind"] in ("Deployment", "Job")}
    for kind, template in pods.items():
        require(
            "helm.sh/chart" not in template["metadata"]["labels"],
            where,
            f"{kind}'s pods are labelled with the chart's version",
        )
    for member in ("priorityClassName", "nodeSelector", "affinity", "tolerations"):
        wanted = {json.dumps(template["spec"].get(member), sort_keys=True) for template in pods.values()}
        require(len(wanted) == 1, where, f"Deployment and Job differ in {member}")


def check_references(manifests, where):
    """ConfigMaps and Secrets that a manifest references exist; those of hooks exist before the release."""

    def named(kind, hooks):
        made = [m for m in manifests if m["kind"] == kind]
        return {
            m["metadata"]["name"] for m in made if ("helm.sh/hook" in m["metadata"].get("annotations", {})) == hooks
        }

    full = next(m["metadata"]["name"] for m in manifests if m["kind"] == "Deployment")
    for manifest in manifests:
        pod = pod_of(manifest)
        if not pod:
            continue
        before = manifest["kind"] == "Job"
        for container in pod["containers"]:
            maps = [source["configMapRef"]["name"] for source in container.get("envFrom", []) if "configMapRef" in source]
            for name in maps:
                require(
                    name in named("ConfigMap", before), where, f"{manifest['kind']} reads the missing ConfigMap {name}"
                )
            for variable in container.get("env", []):
                name = variable.get("valueFrom", {}).get("secretKeyRef", {}).get("name", "")
                if name.startswith(full) and named("Secret", False):
                    require(
                        name in named("Secret", before), where, f"{manifest['kind']} reads the missing Secret {name}"
                    )


def check_routes(manifests, where):
    """Routes lead only to ports of the public Service, on named hosts, and never to /inner/api."""
    ports = {}
    for manifest in manifests:
        if manifest["kind"] == "Service" and manifest["metadata"]["labels"]["app.kubernetes.io/component"] == "public":
            for port in manifest["spec"]["ports"]:
                ports[port["name"]] = ports[port["port"]] = manifest["metadata"]["name"]
                require(port["targetPort"] == "http", where, "the public Service leads past the public listener")
    for manifest in manifests:
        spec, kind = manifest.get("spec", {}), manifest["kind"]
        if kind == "Ingress":
            for rule in spec["rules"]:
                require(rule.get("host"), where, "an Ingress is for every host")
                for path in rule["http"]["paths"]:
                    service = path["backend"]["service"]
                    require(
                        ports.get(service["port"]["name"]) == service["name"], where, f"{path['path']} leads elsewhere"
                    )
        if kind in ("HTTPRoute", "GRPCRoute"):
            for backend in (backend for rule in spec["rules"] for backend in rule["backendRefs"]):
                require(ports.get(backend["port"]) == backend["name"], where, f"{kind} leads elsewhere")
        if kind in ("Ingress", "HTTPRoute", "GRPCRoute"):
            text = json.dumps(spec)
            require("/inner" not in text and "TokenService" not in text, where, f"{kind} leads to inner methods")


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
                require(not leaked, where, f"holds {leaked}")
        check_templates(manifests, render)
        check_references(manifests, render)
        check_routes(manifests, render)
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"{count} manifests of {len(files)} renders, against Kubernetes {' and '.join(VERSIONS)}")
    sys.exit(bool(problems))


main(sys.argv[1:])
