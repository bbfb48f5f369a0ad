"""Seals plaintexts as compact JWE by jwcrypto: a JSON list of jobs on stdin, a JSON list of tokens on stdout."""

import json
import sys

from jwcrypto import jwe, jwk


def seal(job):
    public = {name: job["key"][name] for name in ("kty", "n", "e", "crv", "x", "y") if name in job["key"]}
    header = {"alg": job["alg"], "enc": job["enc"], "kid": job["kid"], "typ": "JWE", "cty": "text/csv"}
    token = jwe.JWE(job["plaintext"].encode(), protected=json.dumps(header))
    token.add_recipient(jwk.JWK(**public))
    return token.serialize(compact=True)


json.dump([seal(job) for job in json.load(sys.stdin)], sys.stdout)
