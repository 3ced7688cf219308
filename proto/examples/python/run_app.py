"""Signs in on the command line and runs an app over gRPC.

    pip install grpcio grpcio-tools
    python -m grpc_tools.protoc -I proto --python_out=gen --grpc_python_out=gen proto/dify/openapi/v1/*.proto proto/google/api/*.proto
    PYTHONPATH=gen python proto/examples/python/run_app.py 127.0.0.1:5001 Parrot "it streams"
"""

import sys
import time

import grpc
from google.protobuf.json_format import MessageToDict
from dify.openapi.v1 import app_pb2, app_pb2_grpc, device_flow_pb2, device_flow_pb2_grpc


def sign_in(channel):
    """Prints the code, and returns the token once the person has approved it in the browser."""
    devices = device_flow_pb2_grpc.DeviceFlowServiceStub(channel)
    codes = devices.CreateDeviceCode(
        device_flow_pb2.CreateDeviceCodeRequest(client_id="difyctl", device_label="the Python example")
    )
    print(codes.verification_uri, codes.user_code, flush=True)
    poll = device_flow_pb2.PollDeviceTokenRequest(client_id="difyctl", device_code=codes.device_code)
    while True:
        time.sleep(codes.interval)
        try:
            return devices.PollDeviceToken(poll)
        except grpc.RpcError as error:
            # Pending, or too soon. Everything else ends the example.
            if error.code() not in (grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.RESOURCE_EXHAUSTED):
                raise


def main(address, name, query):
    channel = grpc.insecure_channel(address)
    token = sign_in(channel)
    metadata = [("authorization", f"Bearer {token.token}")]
    apps = app_pb2_grpc.AppServiceStub(channel)
    workspace = token.default_workspace_id
    described = apps.DescribeApp(app_pb2.DescribeAppRequest(id=name, workspace_id=workspace), metadata=metadata)
    request = app_pb2.RunAppRequest(id=described.info.id, inputs={}, query=query, response_mode="streaming")
    for event in apps.RunApp(request, metadata=metadata):
        print(MessageToDict(event), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
