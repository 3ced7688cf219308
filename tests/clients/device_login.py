"""Signs in with requests-oauthlib and oauthlib's device client, without changes to either.

    device_login.py ISSUER basic|body

Prints one JSON object per line. Before each poll it reads a line of input, so that the test controls the time. The
second argument selects where the client id is sent: by HTTP Basic with an empty secret, the default, or in the body.
"""

import json
import sys

import requests
from oauthlib.oauth2 import DeviceClient, OAuth2Error
from requests_oauthlib import OAuth2Session

CLIENT_ID = "difyctl"


def emit(**members):
    print(json.dumps(members), flush=True)


def main(issuer, naming):
    metadata = requests.get(f"{issuer}/.well-known/oauth-authorization-server", timeout=10).json()
    codes = requests.post(metadata["device_authorization_endpoint"], data={"client_id": CLIENT_ID}, timeout=10)
    codes.raise_for_status()
    codes = codes.json()
    emit(user_code=codes["user_code"], interval=codes["interval"])

    session = OAuth2Session(client=DeviceClient(CLIENT_ID))
    while sys.stdin.readline():
        try:
            token = session.fetch_token(
                metadata["token_endpoint"],
                device_code=codes["device_code"],
                include_client_id=True if naming == "body" else None,
                timeout=10,
            )
        except OAuth2Error as error:
            emit(error=error.error)
            continue
        account = session.get(f"{issuer}/openapi/v1/account", timeout=10)
        revoked = requests.post(metadata["revocation_endpoint"], data={"token": token["access_token"]}, timeout=10)
        afterwards = session.get(f"{issuer}/openapi/v1/account", timeout=10)
        emit(
            token_type=token["token_type"],
            expires_in=token["expires_in"],
            scope=list(token.scopes),
            email=account.json()["subject_email"],
            revoked=revoked.status_code,
            afterwards=afterwards.status_code,
        )
        return


main(*sys.argv[1:])
