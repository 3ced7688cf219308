"""Generates a gRPC client from the protos, calls every service, and reads the error details.

    every_service.py PROTO_DIRECTORY PUBLIC_ADDRESS INTERNAL_ADDRESS SERVICE_KEY

Prints one JSON object per line: the user code, and after a line of input that confirms the approval, the results.
"""

import importlib
import importlib.resources
import json
import pathlib
import sys
import tempfile
import uuid

import grpc
from google.protobuf.json_format import MessageToDict
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from grpc_tools import protoc

DETAILS = (error_details_pb2.ErrorInfo, error_details_pb2.BadRequest, error_details_pb2.RetryInfo)


def generate(protos, out):
    """Generates the modules and yields each service's name, module, and stub module."""
    well_known = importlib.resources.files("grpc_tools") / "_proto"
    files = sorted(str(path.relative_to(protos)) for path in pathlib.Path(protos, "dify").rglob("*.proto"))
    arguments = ["protoc", f"-I{protos}", f"-I{well_known}", f"--python_out={out}", f"--grpc_python_out={out}"]
    if protoc.main([*arguments, *files]) != 0:
        raise SystemExit("the protos do not compile")
    sys.path.insert(0, out)
    for file in files:
        name = file.removesuffix(".proto").replace("/", ".")
        messages = importlib.import_module(f"{name}_pb2")
        for service in messages.DESCRIPTOR.services_by_name:
            yield service, messages, importlib.import_module(f"{name}_pb2_grpc")


class Client:
    """All services at one address."""

    def __init__(self, services, address):
        channel = grpc.insecure_channel(address)
        self.services = {name: (messages, getattr(stubs, f"{name}Stub")(channel)) for name, messages, stubs in services}
        self.answered = set()

    def methods(self):
        for service, (messages, _) in self.services.items():
            for method in messages.DESCRIPTOR.services_by_name[service].methods:
                yield f"{service}.{method.name}"

    def call(self, name, metadata=(), /, **members):
        service, method = name.split(".")
        messages, stub = self.services[service]
        descriptor = messages.DESCRIPTOR.services_by_name[service].methods_by_name[method]
        request = getattr(messages, descriptor.input_type.name)
        sent = request(**members)
        sent = iter([sent]) if descriptor.client_streaming else sent
        response = getattr(stub, method)(sent, metadata=metadata, timeout=10)
        response = list(response) if descriptor.server_streaming else response
        self.answered.add(name)
        return response

    def refused(self, name, metadata=(), /, **members):
        """The code and the decoded details of a call that must fail."""
        try:
            self.call(name, metadata, **members)
        except grpc.RpcError as error:
            return {"code": error.code().name, **dict(read(rpc_status.from_call(error)))}
        raise SystemExit(f"{name} was not refused")


def read(status):
    for detail in status.details:
        for kind in DETAILS:
            message = kind()
            if detail.Unpack(message):
                if kind is error_details_pb2.ErrorInfo:
                    yield "reason", message.reason
                    yield "domain", message.domain
                elif kind is error_details_pb2.BadRequest:
                    yield "fields", [violation.field for violation in message.field_violations]
                else:
                    yield "retry_seconds", message.retry_delay.seconds


def emit(members):
    print(json.dumps(members), flush=True)


def sign_in(client):
    """Runs the device flow. Returns the token, and the errors of two early polls."""
    asked = client.call("DeviceFlowService.CreateDeviceCode", client_id="difyctl", device_label="python")
    poll = {"client_id": "difyctl", "device_code": asked.device_code}
    pending = client.refused("DeviceFlowService.PollDeviceToken", **poll)
    slow_down = client.refused("DeviceFlowService.PollDeviceToken", **poll)
    assert client.call("DeviceFlowService.LookupUserCode", user_code=asked.user_code).valid
    emit({"user_code": asked.user_code})
    sys.stdin.readline()
    return client.call("DeviceFlowService.PollDeviceToken", **poll), {"pending": pending, "slow_down": slow_down}


def use_members(client, bearer, workspace):
    """Invites a person, changes the role, lists the members, and removes the person."""
    of_workspace = {"workspace_id": workspace}
    invited = client.call("MemberService.InviteMember", bearer, email="grace@example.com", role="normal", **of_workspace)
    member = {"member_id": invited.member_id, **of_workspace}
    client.call("MemberService.SetMemberRole", bearer, role="editor", **member)
    members = client.call("MemberService.ListMembers", bearer, **of_workspace).data
    client.call("MemberService.RemoveMember", bearer, **member)
    return [f"{one.email}: {one.role}, {one.status}" for one in members]


def use_files(client, bearer, workspace):
    """Exports an app, imports it, and confirms the import of a file of a newer version."""
    of_workspace = {"workspace_id": workspace}
    greeting = client.call("AppService.DescribeApp", bearer, id="Greeting", **of_workspace).info.id
    text = client.call("DslService.ExportApp", bearer, id=greeting).data
    newer = text.replace("0.6.0", "0.9.0", 1)
    pending = client.call("DslService.ImportApp", bearer, mode="yaml-content", yaml_content=newer, **of_workspace)
    confirmed = client.call("DslService.ConfirmImport", bearer, import_id=pending.id, **of_workspace)
    again = client.call("DslService.ConfirmImport", bearer, import_id=pending.id, **of_workspace)
    missing = client.call("DslService.CheckDependencies", bearer, id=confirmed.app_id).leaked_dependencies
    return [pending.status, confirmed.status, again.status, len(missing)]


def use_apps(client, bearer, workspace):
    """Lists the apps, describes one, and runs it."""
    apps = client.call("AppService.ListApps", bearer, workspace_id=workspace)
    parrot = client.call("AppService.DescribeApp", bearer, id="Parrot", workspace_id=workspace)
    asked = {"id": parrot.info.id, "inputs": {"mood": "fine"}, "query": "Reply exactly: one two three"}
    events = client.call("AppService.RunApp", bearer, response_mode="streaming", **asked)
    whole = client.call("AppService.RunApp", bearer, response_mode="blocking", **asked)
    client.call("FileService.UploadFile", bearer, id=parrot.info.id, name="note.txt", content=b"hello")
    greeting = client.call("AppService.DescribeApp", bearer, id="Greeting", workspace_id=workspace).info.id
    client.call("RunService.StopRun", bearer, id=greeting, task_id=str(uuid.uuid4()))
    ran = client.call("AppService.RunApp", bearer, response_mode="streaming", id=greeting, inputs={"name": "Ann"})
    run_id = ran[0].data["workflow_run_id"]
    followed = client.call("RunService.GetRunEvents", bearer, id=greeting, run_id=run_id)
    assert [event.event for event in followed] == ["workflow_finished"], followed
    asker = client.call("AppService.DescribeApp", bearer, id="Asker", workspace_id=workspace).info.id
    paused = client.call("AppService.RunApp", bearer, response_mode="streaming", id=asker, inputs={"name": "Ann"})
    form = {"id": asker, "token": paused[-2].data["data"]["form_token"]}
    actions = client.call("RunService.GetHumanInputForm", bearer, **form).user_actions
    filled = {"action": actions[0].id, "inputs": {"tone": "warm"}}
    client.call("RunService.SubmitHumanInputForm", bearer, **form, **filled)
    return {
        "apps": [apps.total, *(f"{one.name}: {one.mode}" for one in apps.data)],
        "opening statement": parrot.parameters["opening_statement"],
        "form": MessageToDict(parrot.parameters)["user_input_form"],
        "schema of mood": MessageToDict(parrot.input_schema)["properties"]["inputs"]["properties"]["mood"],
        "events": [[one.event, one.data["answer"] if "answer" in one.data else None] for one in events],
        "answer": [one.data["answer"] for one in whole],
        "tokens": int(whole[0].data["metadata"]["usage"]["completion_tokens"]),
    }


def main(protos, public_address, internal_address, service_key):
    with tempfile.TemporaryDirectory() as out:
        services = list(generate(protos, out))
    public, internal = Client(services, public_address), Client(services, internal_address)
    found = {"version": public.call("MetaService.GetVersion").version}
    assert public.call("MetaService.GetHealth").ok
    catalog = public.call("MetaService.GetCatalog")
    assert len(catalog.version) == 64 and "get.workspace" in catalog.document["ops"]

    token, errors = sign_in(public)
    bearer = (("authorization", f"Bearer {token.access_token}"),)
    found["email"] = public.call("IdentityService.GetAccount", bearer).subject_email
    workspaces = public.call("WorkspaceService.ListWorkspaces", bearer).workspaces
    found["workspaces"] = [public.call("WorkspaceService.GetWorkspace", bearer, id=one.id).name for one in workspaces]
    public.call("WorkspaceService.SetCurrentWorkspace", bearer, id=workspaces[0].id)
    found["members"] = use_members(public, bearer, workspaces[0].id)
    found["use"] = use_apps(public, bearer, workspaces[0].id)
    found["files"] = use_files(public, bearer, workspaces[0].id)
    errors["unknown app"] = public.refused("AppService.DescribeApp", bearer, id=workspaces[0].id)
    errors["nothing to run"] = public.refused("AppService.RunApp", bearer, id=workspaces[0].id, inputs={})
    sessions = {one.device_label: one.id for one in public.call("SessionService.ListSessions", bearer).data}
    found["sessions"] = sorted(sessions)
    found["revoked"] = [public.call("SessionService.RevokeSession", bearer, id=sessions["old laptop"]).status]

    service = (("enterprise-api-secret-key", service_key),)
    resolved = internal.call("TokenService.ResolveToken", service, token=token.access_token)
    found["resolved"] = resolved.token_id == token.token_id
    found["active"] = internal.call("TokenService.IntrospectToken", service, token=token.access_token).active

    workspace = {"tenant_id": workspaces[0].id, "provider": "github"}
    listed = internal.call("ConnectionService.ListConnections", service, **workspace).connections
    current = internal.call("ConnectionService.GetCredentials", service, credential_id=listed[0].credential_id, **workspace)
    found["connection"] = [current.credential_type, MessageToDict(current.values), current.expires_at]
    registration = {"client_params": {"client_id": "c", "client_secret": "s"}}
    internal.call("ConnectionService.SetSystemClient", service, provider="github", **registration)
    errors["rejected connection"] = internal.refused(
        "ConnectionService.ReportInvalid", service, credential_id=listed[0].credential_id, **workspace)

    errors["no bearer"] = public.refused("IdentityService.GetAccount")
    errors["out of range"] = public.refused("SessionService.ListSessions", bearer, limit=201)
    errors["unknown session"] = public.refused("SessionService.RevokeSession", bearer, id="none of ours")
    found["revoked"].append(public.call("SessionService.RevokeCurrentSession", bearer).status)
    public.call("SessionService.RevokeToken", token=token.access_token)
    errors["revoked"] = public.refused("IdentityService.GetAccount", bearer)

    # The remaining methods are for browsers or internal services and must be unimplemented.
    rest = sorted(set(public.methods()) - public.answered)
    found["left"] = {name: public.refused(name) for name in rest}
    found["answered"] = sorted(public.answered | internal.answered)
    emit({**found, "errors": errors})


main(*sys.argv[1:])
