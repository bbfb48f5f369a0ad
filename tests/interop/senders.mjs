// Seals and opens by the Node libraries that senders use: a JSON list of jobs on stdin, a JSON list of texts on stdout.
//
// The argument names the directory that the packages are installed in. A job says what it is to `do`, and on which
// `text`; the rest is what the library wants to know. Every library is left to its own defaults.

import { webcrypto } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

// Debian 12 has Node 18, which knows it under this name only.
globalThis.crypto ??= webcrypto;

const require = createRequire(pathToFileURL(process.argv[2] + "/"));
const { FieldLevelEncryption, JweEncryption } = require("mastercard-client-encryption");
const jose = await import(pathToFileURL(require.resolve("jose")));

const ENDPOINT = "/files";

async function joseSeal({ text, key, header }) {
  const jwk = await jose.importJWK(JSON.parse(key), header.alg);
  return new jose.CompactEncrypt(new TextEncoder().encode(text)).setProtectedHeader(header).encrypt(jwk);
}

async function joseOpen({ text, key }) {
  const { alg } = jose.decodeProtectedHeader(text);
  const { plaintext } = await jose.compactDecrypt(text, await jose.importJWK(JSON.parse(key), alg));
  return new TextDecoder().decode(plaintext);
}

function mastercardJwe(job, name) {
  // The whole of a text or body, or one member of it, which then gives way to the member `name`.
  const sealed = job.element ? { element: job.element, obj: name } : { element: "$", obj: "$" };
  return new JweEncryption({
    paths: [{ path: ENDPOINT, toEncrypt: [sealed], toDecrypt: [{ element: name, obj: "$" }] }],
    encryptedValueFieldName: name,
    encryptionCertificate: job.certificate,
    privateKey: job.private,
  });
}

function mastercardJweSeal(job) {
  const name = job.name ?? "encryptedData";
  const body = job.body ? JSON.parse(job.body) : job.text;
  return JSON.stringify(mastercardJwe(job, name).encrypt(ENDPOINT, {}, body).body);
}

function mastercardJweOpen(job) {
  const name = "encryptedData";
  const opened = mastercardJwe(job, name).decrypt({ request: { url: ENDPOINT }, body: { [name]: job.text } });
  return typeof opened === "string" ? opened : JSON.stringify(opened);
}

// This library gives its object one fingerprint at most.
const FINGERPRINTS = { key: "publicKey", certificate: "certificate" };

function mastercardPayloadSeal(job) {
  const body = job.body ? JSON.parse(job.body) : job.text;
  const [fingerprint] = job.fingerprints;
  const config = {
    paths: [{ path: ENDPOINT, toEncrypt: [{ element: "$", obj: "$" }], toDecrypt: [{ element: "$", obj: "$" }] }],
    encryptedValueFieldName: "encryptedData",
    encryptedKeyFieldName: "encryptedKey",
    ivFieldName: "iv",
    dataEncoding: job.encoding,
    oaepPaddingDigestAlgorithm: job.hash,
    encryptionCertificate: job.certificate,
  };
  if (job.told) {
    config.oaepHashingAlgorithmFieldName = "oaepHashingAlgorithm";
  }
  if (fingerprint) {
    config.publicKeyFingerprintFieldName = "publicKeyFingerprint";
    config.publicKeyFingerprintType = FINGERPRINTS[fingerprint];
  }
  return JSON.stringify(new FieldLevelEncryption(config).encrypt(ENDPOINT, {}, body).body);
}

const VERBS = {
  "jose seal": joseSeal,
  "jose open": joseOpen,
  "mastercard-jwe seal": mastercardJweSeal,
  "mastercard-jwe open": mastercardJweOpen,
  "mastercard-payload seal": mastercardPayloadSeal,
};

const texts = [];
for (const job of JSON.parse(readFileSync(0, "utf8"))) {
  texts.push(await VERBS[job.do](job));
}
process.stdout.write(JSON.stringify(texts));
