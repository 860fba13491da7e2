"""Has the checkers that people use check an access token of a running local system: PyJWT here, and jose in checkers.mjs.

  checkers.py DIRECTORY           DIRECTORY holds node_modules with jose

The token is got as functions/README.md shows it. The checkers are told the issuer and nothing else.
"""

import json
import pathlib
import re
import subprocess
import sys
import urllib.request

import jwt

ROOT = pathlib.Path(__file__).resolve().parent.parent
API = "http://127.0.0.1:9000"
ISSUER, AUDIENCE = f"{API}/auth/v1", "authenticated"


def check(holds, message):
    if not holds:
        sys.exit(f"FAILED: {message}")


def call(path, body=None):
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(f"{API}{path}", body and json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=10) as response:
        return json.load(response)


def exchange(session):
    """The exchange of functions/README.md, as it is typed."""
    text = (ROOT / "functions/README.md").read_text().replace("\\\n", " ")
    command = re.search(r"^curl .*/auth/v1/token.*$", text, re.M)[0].replace("…", session)
    out = subprocess.run(["bash", "-c", f"API={API}; {command}"], capture_output=True, text=True, timeout=60)
    answer = json.loads(out.stdout)
    check(answer.get("access_token"), f"the exchange answered {answer}")
    return answer["access_token"]


def read(token, **expected):
    """The claims, as PyJWT reads them with the keys that the issuer's discovery document names."""
    with urllib.request.urlopen(f"{ISSUER}/.well-known/openid-configuration", timeout=10) as response:
        discovery = json.load(response)
    key = jwt.PyJWKClient(discovery["jwks_uri"]).get_signing_key_from_jwt(token)
    algorithms = discovery["id_token_signing_alg_values_supported"]
    expected = {"issuer": ISSUER, "audience": AUDIENCE, **expected}
    return jwt.decode(token, key, algorithms, options={"require": ["exp", "iat", "sub"]}, **expected)


def main(directory):
    user = {"value": "eric", "password": "eric-password"}
    session = call("/v1/user/login", user)["token"]
    token = exchange(session)
    claims = read(token)
    check(claims["uuid"] == 5 and claims["phone"] == "8613800138001", f"PyJWT read {claims}")
    print(f"PyJWT {jwt.__version__} admits the token of {claims['sub']}")
    head, body, signature = token.split(".")
    changed = f"{head}.{body}.{signature[:-4]}AAAA"
    for what, refused, expected in (
        ("a changed signature", changed, {}),
        ("another audience", token, {"audience": "anon"}),
        ("another issuer", token, {"issuer": f"{ISSUER}/"}),
        ("a session token", session, {}),
    ):
        try:
            read(refused, **expected)
        except jwt.PyJWTError as error:
            print(f"PyJWT refuses {what}: {error}")
        else:
            check(False, f"PyJWT admits {what}")
    script = pathlib.Path(directory) / "checkers.mjs"  # beside node_modules, where node looks
    script.write_text((ROOT / ".ci/checkers.mjs").read_text())
    subprocess.run(["node", script, ISSUER, AUDIENCE, token, changed, session], check=True, timeout=60)


main(*sys.argv[1:])
