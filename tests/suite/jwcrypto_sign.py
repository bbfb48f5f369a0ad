"""Signs texts as detached compact JWS by jwcrypto, each with a new key: a JSON list of [alg, text] on stdin, a JSON list of
[token, public key, alg] on stdout."""

import json
import sys

from jwcrypto import jwk, jws


def sign(alg, text):
    key = jwk.JWK.generate(kty="EC", crv="P-256") if alg.startswith("ES") else jwk.JWK.generate(kty="RSA", size=2048)
    token = jws.JWS(text.encode())
    token.add_signature(key, alg, json.dumps({"alg": alg, "typ": "JOSE"}))
    header, _, signature = token.serialize(compact=True).split(".")
    return [f"{header}..{signature}", key.export_public(as_dict=True), alg]


json.dump([sign(*job) for job in json.load(sys.stdin)], sys.stdout)
