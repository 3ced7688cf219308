"""Runs an app with a client that openapi-python-client generated as the package `dify_client`.

Arguments: the server's URL, an app's name and a query. The token is in DIFY_TOKEN."""

import os
import sys

from dify_client import AuthenticatedClient
from dify_client.api.app import app_service_describe_app, app_service_list_apps, app_service_run_app
from dify_client.api.identity import identity_service_get_account
from dify_client.models import Error, MessageRun, RunAppRequest, RunAppRequestInputs, RunAppRequestResponseModeType1


def checked(result):
    if isinstance(result, Error):
        sys.exit(f"{result.code}: {result.message} {result.hint}")
    return result


url, name, query = sys.argv[1:]
client = AuthenticatedClient(base_url=url, token=os.environ["DIFY_TOKEN"])

account = checked(identity_service_get_account.sync(client=client))
print("Signed in as", account.subject_email)

workspace = account.default_workspace_id
for app in checked(app_service_list_apps.sync(client=client, workspace_id=workspace)).data:
    print(f"{app.mode}: {app.name}")

described = checked(app_service_describe_app.sync(name, client=client, workspace_id=workspace))
body = RunAppRequest(inputs=RunAppRequestInputs(), query=query, response_mode=RunAppRequestResponseModeType1.BLOCKING)
run = checked(app_service_run_app.sync(described.info.id, client=client, body=body))
assert isinstance(run, MessageRun), run
print(run.answer)
