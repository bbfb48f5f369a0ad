"""Seals and opens by the Python libraries that senders use: a JSON list of jobs on stdin, a JSON list of texts on stdout.

A job says what it is to `do`, and on which `text`; the rest is what the library wants to know. Every library is left
to its own defaults: what is tested is what it really writes.
"""

import json
import sys

from client_encryption.field_level_encryption import encrypt_payload as seal_fields
from client_encryption.field_level_encryption_config import FieldLevelEncryptionConfig
from client_encryption.jwe_encryption import decrypt_payload as open_jwe
from client_encryption.jwe_encryption import encrypt_payload as seal_jwe
from client_encryption.jwe_encryption_config import JweEncryptionConfig
from jwcrypto import jwe, jwk


def jwcrypto_seal(job):
    token = jwe.JWE(job["text"].encode(), protected=json.dumps(job["header"]))
    token.add_recipient(jwk.JWK.from_json(job["key"]))
    return token.serialize(compact=True)


def jwcrypto_open(job):
    token = jwe.JWE()
    token.deserialize(job["text"], key=jwk.JWK.from_json(job["key"]))
    return token.payload.decode()


def body_and_place(job):
    """The library seals a member of JSON: a text is made one, as a sender of files does; a body is given as it is."""
    return (json.loads(job["body"]), job.get("element", "$")) if "body" in job else ({"content": job["text"]}, "content")


def mastercard_jwe(job, name):
    _, place = body_and_place(job) if job["do"].endswith("seal") else (None, "$")
    wanted = {
        "paths": {"$": {"toEncrypt": {place: "$"}, "toDecrypt": {name: "$"}}},
        "encryptedValueFieldName": name,
        "encryptionCertificate": job["certificate"],
    }
    if "private" in job:
        wanted["decryptionKey"] = job["private"]
    return JweEncryptionConfig(wanted)


def mastercard_jwe_seal(job):
    name = job.get("name", "encryptedData")
    body, _ = body_and_place(job)
    return json.dumps(seal_jwe(body, mastercard_jwe(job, name)))


def mastercard_jwe_open(job):
    name = "encryptedData"
    return json.dumps(open_jwe({name: job["text"]}, mastercard_jwe(job, name)))


def mastercard_payload_seal(job):
    body, place = body_and_place(job)
    wanted = {
        "paths": {"$": {"toEncrypt": {place: "$"}, "toDecrypt": {}}},
        "encryptedValueFieldName": "encryptedData",
        "encryptedKeyFieldName": "encryptedKey",
        "ivFieldName": "iv",
        "dataEncoding": job["encoding"],
        "oaepPaddingDigestAlgorithm": job["hash"],
        "encryptionCertificate": job["certificate"],
    }
    if job["told"]:
        wanted["oaepPaddingDigestAlgorithmFieldName"] = "oaepPaddingDigestAlgorithm"
    if "key" in job["fingerprints"]:
        wanted["encryptionKeyFingerprintFieldName"] = "encryptionKeyFingerprint"
    if "certificate" in job["fingerprints"]:
        wanted["encryptionCertificateFingerprintFieldName"] = "encryptionCertificateFingerprint"
    return json.dumps(seal_fields(body, FieldLevelEncryptionConfig(wanted)))


VERBS = {
    "jwcrypto seal": jwcrypto_seal,
    "jwcrypto open": jwcrypto_open,
    "mastercard-jwe seal": mastercard_jwe_seal,
    "mastercard-jwe open": mastercard_jwe_open,
    "mastercard-payload seal": mastercard_payload_seal,
}

json.dump([VERBS[job["do"]](job) for job in json.load(sys.stdin)], sys.stdout)
