"""Signs in, lists the apps of a workspace, and runs one over gRPC.

    pip install grpcio-tools grpcio-status
    python -m grpc_tools.protoc -I proto --python_out=gen --grpc_python_out=gen proto/dify/openapi/v1/*.proto proto/google/api/*.proto
    PYTHONPATH=gen python proto/examples/python/run_app.py http://127.0.0.1:5001 Parrot "it streams"

The token is read from DIFY_TOKEN. Without it the program signs in through the browser.
"""

import os
import sys
import time
from urllib.parse import urlsplit

import grpc
from google.rpc.error_details_pb2 import ErrorInfo
from grpc_status import rpc_status

from dify.openapi.v1 import app_pb2, app_pb2_grpc, device_flow_pb2, device_flow_pb2_grpc, identity_pb2, identity_pb2_grpc


def connect(url):
    parts = urlsplit(url)
    if parts.scheme == "https":
        return grpc.secure_channel(parts.netloc, grpc.ssl_channel_credentials())
    return grpc.insecure_channel(parts.netloc)


def error_info(error):
    """The reason of an error, and its hint for people."""
    status = rpc_status.from_call(error)
    info = ErrorInfo()
    if status and any(detail.Unpack(info) for detail in status.details):
        return info.reason, info.metadata.get("hint", "")
    return error.code().name, ""


def sign_in(channel):
    """Prints a code, and returns the token once the person has approved it in the browser (RFC 8628)."""
    devices = device_flow_pb2_grpc.DeviceFlowServiceStub(channel)
    codes = devices.CreateDeviceCode(
        device_flow_pb2.CreateDeviceCodeRequest(client_id="difyctl", device_label="the Python example")
    )
    print(f"Open {codes.verification_uri} and enter {codes.user_code}", flush=True)
    poll = device_flow_pb2.PollDeviceTokenRequest(client_id="difyctl", device_code=codes.device_code)
    interval = codes.interval
    while True:
        time.sleep(interval)
        try:
            return devices.PollDeviceToken(poll).token
        except grpc.RpcError as error:
            reason, _ = error_info(error)
            if reason == "SLOW_DOWN":
                interval += 5
            elif reason != "AUTHORIZATION_PENDING":
                raise


def text_of(event):
    """The text that an event adds to the answer of a chat, or to that of a workflow."""
    name = event.typed.WhichOneof("event")
    if name in ("message", "agent_message"):
        return getattr(event.typed, name).answer
    if name == "text_chunk":
        return event.typed.text_chunk.text
    if name == "error":
        sys.exit(f"The run failed: {event.typed.error.message}")
    return ""


def run_app(channel, name, query):
    token = os.environ.get("DIFY_TOKEN") or sign_in(channel)
    metadata = [("authorization", f"Bearer {token}")]

    identity = identity_pb2_grpc.IdentityServiceStub(channel)
    account = identity.GetAccount(identity_pb2.GetAccountRequest(), metadata=metadata)
    workspace = account.default_workspace_id
    print("Signed in as", account.subject_email)

    apps = app_pb2_grpc.AppServiceStub(channel)
    for app in apps.ListApps(app_pb2.ListAppsRequest(workspace_id=workspace), metadata=metadata).data:
        print(f"{app.mode}: {app.name}")

    described = apps.DescribeApp(app_pb2.DescribeAppRequest(id=name, workspace_id=workspace), metadata=metadata)
    request = app_pb2.RunAppRequest(id=described.info.id, inputs={}, query=query)
    for event in apps.RunApp(request, metadata=metadata):
        print(text_of(event), end="", flush=True)
    print()


def main(url, name, query):
    try:
        with connect(url) as channel:
            run_app(channel, name, query)
    except grpc.RpcError as error:
        reason, hint = error_info(error)
        sys.exit(f"{reason}: {error.details()} {hint}".rstrip())


if __name__ == "__main__":
    main(*sys.argv[1:])
