#!/usr/bin/env bash
# PyPI joserfc 1.8.0, and Authlib 1.9.10, which verifies ID tokens with it (Python 3.11, seen on 2026-11-28):
#
# An issuer publishes its keys as a JWK Set. RFC 7517 asks readers to ignore keys whose values they cannot use (section 5), and says that `use` and `key_ops` may have
# other values than its own (4.2, 4.3). SPIFFE's bundles have `use` `jwt-svid`, and the reference server of the German health network signs on a Brainpool curve
# (`BP256R1`, the curve that jwcrypto names `BP-256`). joserfc ignores keys with an unknown `kty` since its pull request 103 of 2026. Expected: any other key that it
# does not know is ignored as well.
#
# Each set below holds the P-256 key that signed the token and one more key that nobody needs for it:
#
# - A curve that joserfc does not know raises KeyError with the name of the curve, and another `use` or `key_ops` raises KeyParameterError, while the set is read.
#   The order of the keys does not matter, nor does the `kid` in the token: no token of the issuer can be verified.
# - So an application with Authlib's client signs nobody in from the minute in which the issuer publishes such a key, and the error names no issuer.
# - Authlib's older module `authlib.jose`, which warns that programs should move to joserfc, reads all of these sets. So do PyJWT, jwcrypto and npm's jose. With a
#   post-quantum key it is the other way round: joserfc verifies the token, and `authlib.jose` fails (its issue 913).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check joserfc==1.8.0 Authlib==1.9.10 PyJWT==2.15.1 jwcrypto==1.6.1 starlette==1.10.0 httpx2==2.16.2 itsdangerous==2.2.0
npm init -y > /dev/null
npm install --silent --no-audit --no-fund jose@6.2.18

cat > run.py <<'PYTHON'
import asyncio
import json
import subprocess
import threading
import time
import warnings
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
import joserfc.jwk
import joserfc.jwt
import jwt
from jwcrypto import jwk, jws
from authlib.integrations.starlette_client import OAuth
warnings.simplefilter("ignore")
from authlib.jose import JsonWebKey, JsonWebToken

def make(**values):
    key = {"kty": "EC", "crv": "P-256", **values}
    return json.loads(jwk.JWK.generate(kty=key["kty"], crv=key["crv"]).export()) | key

signer = make(kid="current", use="sig")
def public(key): return {name: value for name, value in key.items() if name != "d"}
others = {
    "a second key like the first": make(kid="other", use="sig"),
    "curve BP-256": make(kid="other", use="sig", crv="BP-256"),
    "use jwt-svid": make(kid="other", use="jwt-svid"),
    "key_ops with attest": make(kid="other", key_ops=["verify", "attest"]),
    "kty AKP": {"kty": "AKP", "kid": "other", "alg": "ML-DSA-44", "pub": jws.base64url_encode(bytes(1312))},
}
served = None

class Issuer(BaseHTTPRequestHandler):
    def do_GET(self):
        base = f"http://127.0.0.1:{self.server.server_port}"
        metadata = {"issuer": base, "jwks_uri": f"{base}/keys", "id_token_signing_alg_values_supported": ["ES256"]}
        body = json.dumps(served if self.path == "/keys" else metadata).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_): pass

server = ThreadingHTTPServer(("127.0.0.1", 0), Issuer)
threading.Thread(target=server.serve_forever, daemon=True).start()
issuer = f"http://127.0.0.1:{server.server_port}"
claims = {"iss": issuer, "aud": "roster", "sub": "noor", "nonce": "n", "iat": int(time.time()) - 5, "exp": int(time.time()) + 600}
token = joserfc.jwt.encode({"alg": "ES256", "kid": "current"}, claims, joserfc.jwk.ECKey.import_key(signer))

def by_authlib_client():
    oauth = OAuth()
    client = oauth.register("issuer", client_id="roster", client_secret="invented", server_metadata_url=f"{issuer}/metadata")
    return asyncio.run(client.parse_id_token({"id_token": token}, nonce="n"))["sub"]

def by_jwcrypto():
    verified = jws.JWS()
    verified.deserialize(token, jwk.JWKSet.from_json(json.dumps(served)).get_key("current"))
    return json.loads(verified.payload)["sub"]

def by_jose():
    program = """import { createLocalJWKSet, jwtVerify } from 'jose';
        const [set, token] = process.argv.slice(1);
        console.log((await jwtVerify(token, createLocalJWKSet(JSON.parse(set)))).payload.sub);"""
    return subprocess.run(["node", "--input-type=module", "-e", program, json.dumps(served), token], check=True, capture_output=True, text=True).stdout.strip()

readers = {
    "joserfc": lambda: joserfc.jwt.decode(token, joserfc.jwk.KeySet.import_key_set(served), algorithms=["ES256"]).claims["sub"],
    "Authlib's client": by_authlib_client,
    "authlib.jose": lambda: JsonWebToken(["ES256"]).decode(token, JsonWebKey.import_key_set(served))["sub"],
    "PyJWT": lambda: jwt.decode(token, jwt.PyJWKSet.from_dict(served)["current"].key, algorithms=["ES256"], audience="roster")["sub"],
    "jwcrypto": by_jwcrypto,
    "npm jose": by_jose,
}
for name, other in others.items():
    for order, keys in {"before": [other, signer], "after": [signer, other]}.items():
        served = {"keys": [public(key) for key in keys]}
        seen = {}
        for reader, read in readers.items():
            try:
                outcome = f"signed in {read()}"
            except Exception as error:
                outcome = f"{type(error).__name__}: {error}"
            seen.setdefault(outcome, []).append(reader)
        print(f"{name}, {order} the signer")
        for outcome, who in seen.items():
            print(f"  {outcome} ({', '.join(who)})")
PYTHON
timeout 120 venv/bin/python -W ignore run.py > seen

diff - seen <<'EXPECTED' && echo "unchanged" && cat seen
a second key like the first, before the signer
  signed in noor (joserfc, Authlib's client, authlib.jose, PyJWT, jwcrypto, npm jose)
a second key like the first, after the signer
  signed in noor (joserfc, Authlib's client, authlib.jose, PyJWT, jwcrypto, npm jose)
curve BP-256, before the signer
  KeyError: 'BP-256' (joserfc, Authlib's client)
  signed in noor (authlib.jose, PyJWT, jwcrypto, npm jose)
curve BP-256, after the signer
  KeyError: 'BP-256' (joserfc, Authlib's client)
  signed in noor (authlib.jose, PyJWT, jwcrypto, npm jose)
use jwt-svid, before the signer
  KeyParameterError: key_parameter: 'use' must be one of ['sig', 'enc'] (joserfc, Authlib's client)
  signed in noor (authlib.jose, PyJWT, jwcrypto, npm jose)
use jwt-svid, after the signer
  KeyParameterError: key_parameter: 'use' must be one of ['sig', 'enc'] (joserfc, Authlib's client)
  signed in noor (authlib.jose, PyJWT, jwcrypto, npm jose)
key_ops with attest, before the signer
  KeyParameterError: key_parameter: 'key_ops' must be one of ['sign', 'verify', 'encrypt', 'decrypt', 'wrapKey', 'unwrapKey', 'deriveKey', 'deriveBits'] (joserfc, Authlib's client)
  signed in noor (authlib.jose, PyJWT, jwcrypto, npm jose)
key_ops with attest, after the signer
  KeyParameterError: key_parameter: 'key_ops' must be one of ['sign', 'verify', 'encrypt', 'decrypt', 'wrapKey', 'unwrapKey', 'deriveKey', 'deriveBits'] (joserfc, Authlib's client)
  signed in noor (authlib.jose, PyJWT, jwcrypto, npm jose)
kty AKP, before the signer
  signed in noor (joserfc, Authlib's client, PyJWT, jwcrypto, npm jose)
  KeyError: 'AKP' (authlib.jose)
kty AKP, after the signer
  signed in noor (joserfc, Authlib's client, PyJWT, jwcrypto, npm jose)
  KeyError: 'AKP' (authlib.jose)
EXPECTED
