"""Gets access tokens with Authlib by each method, and creates a user with each: BASE CLIENT SECRET KEY_CLIENT KEY_FILE."""

import os
import sys

os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"  # the server of the test has no TLS

import requests
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT

base, client, secret, key_client, key_file = sys.argv[1:]
metadata = requests.get(base + "/.well-known/oauth-authorization-server", timeout=10).json()
endpoint = metadata["token_endpoint"]
assert metadata["issuer"] == base and "client_credentials" in metadata["grant_types_supported"], metadata


def create_user(name, session):
    token = session.fetch_token(endpoint, grant_type="client_credentials")
    assert token["token_type"] == "Bearer" and token["expires_in"] == 3600 and token["scope"] == "scim", token
    response = session.post(base + "/Users", json={"userName": name}, timeout=10)
    assert response.status_code == 201, response.text
    print("created", response.json()["userName"])


for method in "client_secret_basic", "client_secret_post":
    assert method in metadata["token_endpoint_auth_methods_supported"]
    create_user(method, OAuth2Session(client, secret, scope="scim", token_endpoint_auth_method=method))

with open(key_file) as f:
    session = OAuth2Session(key_client, f.read(), token_endpoint_auth_method="private_key_jwt")
session.register_client_auth_method(PrivateKeyJWT(endpoint))
create_user("private_key_jwt", session)

try:
    OAuth2Session(client, secret + "x").fetch_token(endpoint, grant_type="client_credentials")
    sys.exit("a wrong secret got a token")
except OAuthError as e:
    assert e.error == "invalid_client" and e.description, e
