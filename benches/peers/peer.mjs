// What a careful user would write for payment-cards files in Node: one sealed CSV file into SQLite, an answer out.
//
// The same job as peer.py: the whole token in memory, every rule, a fingerprint (HMAC-SHA-256) and a sealed PAN (AES-256-GCM)
// a record, better-sqlite3 in large transactions, the answer written durably.

import { createCipheriv, createDecipheriv, createHash, createHmac, createPrivateKey, createSecretKey, privateDecrypt, randomFillSync, constants } from "node:crypto";
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";

const FILE_NO = 1;
const COLUMNS = ["record_ref", "action", "pan", "card_base_currency", "payment_card_id"];
const RECORD_REF = /^[A-Za-z0-9_.:][A-Za-z0-9_.:-]{0,99}$/;
const CARD_ID = /^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$/;
const MANGLED = /^[0-9]+([.,][0-9]*)?[eE][+-]?[0-9]+$/;
const DIGITS = /^[0-9]+$/;
const FINAL = new Set(["ALREADY_REGISTERED", "DUPLICATE_IN_FILE", "NOT_REGISTERED"]);

const text = { type: "string" };
const { values: options } = parseArgs({
  options: {
    file: text, key: text, "vault-keys": text, ranges: text, currencies: text, schema: text, store: text, outbound: text,
    modules: text, commit: { type: "string", default: "50000" },
  },
});
const Database = createRequire(join(resolve(options.modules), "/"))("better-sqlite3");

function refuse(code) {
  console.error(code);
  process.exit(1);
}

// A compact JWE of RSA-OAEP-256 and A256GCM.
function unsealed(token, jwk) {
  const [header, encryptedKey, iv, ciphertext, tag] = token.trimEnd().split(".");
  const claims = JSON.parse(Buffer.from(header, "base64url"));
  if (claims.alg !== "RSA-OAEP-256" || claims.enc !== "A256GCM" || "crit" in claims || "zip" in claims) refuse("ALGORITHM_REFUSED");
  if ((claims.kid ?? jwk.kid) !== jwk.kid) refuse("KEY_UNKNOWN");
  const key = createPrivateKey({ key: jwk, format: "jwk" });
  const oaep = { key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: "sha256" };
  const contentKey = privateDecrypt(oaep, Buffer.from(encryptedKey, "base64url"));
  const decipher = createDecipheriv("aes-256-gcm", contentKey, Buffer.from(iv, "base64url"));
  decipher.setAAD(Buffer.from(header));
  decipher.setAuthTag(Buffer.from(tag, "base64url"));
  const plain = decipher.update(Buffer.from(ciphertext, "base64url"));
  decipher.final();
  return plain;
}

// One line of RFC 4180; no cell of a good record holds a line break.
function cells(line) {
  if (!line.includes('"')) return line.split(",");
  const found = [];
  const cell = /("(?:[^"]|"")*"|[^",]*)(,|$)/y;
  for (;;) {
    const match = cell.exec(line);
    if (!match) refuse("FORMAT_INVALID");
    found.push(match[1].startsWith('"') ? match[1].slice(1, -1).replaceAll('""', '"') : match[1]);
    if (match[2] === "") return found;
  }
}

function luhn(digits) {
  let sum = 0;
  for (let at = digits.length - 1, twice = false; at >= 0; at--, twice = !twice) {
    let value = digits.charCodeAt(at) - 48;
    if (twice && (value *= 2) > 9) value -= 9;
    sum += value;
  }
  return sum % 10 === 0;
}

function holdsCardNumber(reference) {
  if (reference.length < 13) return false;
  const isCard = (digits) => digits.length >= 13 && digits.length <= 19 && luhn(digits);
  if ((reference.match(/[0-9]+/g) ?? []).some(isCard)) return true;
  return reference.split(/[A-Za-z]/).some((part) => {
    const groups = part.match(/[0-9]+/g) ?? [];
    return groups.slice(0, -1).every((group) => group.length === 4) && (groups.at(-1)?.length ?? 5) <= 4 && isCard(groups.join(""));
  });
}

function panCode(pan) {
  if (!DIGITS.test(pan)) return pan === "" ? "FIELD_MISSING" : MANGLED.test(pan) ? "PAN_MANGLED" : "PAN_FORMAT";
  if (pan.length !== 16) return "PAN_LENGTH";
  return luhn(pan) ? "" : "PAN_LUHN";
}

// Random bytes a system call at a time would cost more than what they are for.
const pool = Buffer.alloc(1 << 16);
let poolAt = pool.length;
function random(count) {
  if (poolAt + count > pool.length) {
    randomFillSync(pool);
    poolAt = 0;
  }
  poolAt += count;
  return pool.subarray(poolAt - count, poolAt);
}

function uuidText(raw) {
  const hex = raw.toString("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

// Beside its place, synced, then under its name.
class Out {
  constructor(path) {
    this.path = path;
    this.descriptor = openSync(`${path}.part`, "w");
    this.sha = createHash("sha256");
  }
  write(part) {
    this.sha.update(part);
    writeSync(this.descriptor, part);
  }
  put() {
    fsyncSync(this.descriptor);
    closeSync(this.descriptor);
    renameSync(`${this.path}.part`, this.path);
    const directory = openSync(dirname(this.path));
    fsyncSync(directory);
    closeSync(directory);
  }
}

const receivedAt = new Date().toISOString();
const plain = unsealed(readFileSync(options.file, "latin1"), JSON.parse(readFileSync(options.key)));
const end = plain.lastIndexOf(10, plain.length - 2) + 1;
const trailer = plain.subarray(end).toString().trimEnd().split(",");
if (trailer[0] !== "TRL") refuse("TRAILER_MISSING");
if (trailer[2] && trailer[2] !== createHash("sha256").update(plain.subarray(0, end)).digest("hex")) refuse("DIGEST_MISMATCH");
const expected = Number(trailer[1]);

let position = 0;
function nextLine() {
  const stop = plain.indexOf(10, position);
  const line = plain.utf8Slice(position, plain[stop - 1] === 13 ? stop - 1 : stop);
  position = stop + 1;
  return line;
}
const header = cells(nextLine());
const columns = cells(nextLine());
if (header[0] !== "HDR" || header[1] !== "1" || header[3] !== "payment-cards") refuse("HEADER_MISMATCH");
if (columns.some((name) => !COLUMNS.includes(name))) refuse("COLUMN_UNKNOWN");
const at = COLUMNS.map((name) => columns.indexOf(name));
const [, , issuer, service, batch, sequence, created, environment] = header;

const keys = JSON.parse(readFileSync(options["vault-keys"]));
const fingerprintKey = createSecretKey(Buffer.from(keys.fingerprint, "hex"));
const dataKey = createSecretKey(Buffer.from(keys.data, "hex"));
const currencies = new Set(JSON.parse(readFileSync(options.currencies)));
const [rangeColumns, ...rangeLines] = readFileSync(options.ranges, "utf8").trimEnd().split("\n").map(cells);
const of = (row, name) => row[rangeColumns.indexOf(name)];
const ranges = rangeLines
  .filter((row) => of(row, "issuer") === issuer && of(row, "services").split("|").includes("payment-cards"))
  .map((row) => [of(row, "low").padEnd(19, "0"), of(row, "high").padEnd(19, "9")])
  .sort(([one], [other]) => (one < other ? -1 : 1));

function isOwned(pan) {
  const padded = pan.padEnd(19, "0");
  let [low, high] = [0, ranges.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ranges[middle][0] <= padded) low = middle + 1;
    else high = middle;
  }
  return low > 0 && pan.padEnd(19, "9") <= ranges[low - 1][1];
}

const store = new Database(options.store);
store.exec(readFileSync(options.schema, "utf8"));
store.pragma("foreign_keys = OFF");
store.prepare("INSERT OR IGNORE INTO issuer VALUES (1, ?)").run(issuer);
const insertPan = store.prepare("INSERT OR IGNORE INTO vault_card VALUES (?, 1, ?, ?, 1, 16, ?, ?, 1)");
const insertCard = store.prepare(`INSERT INTO payment_card VALUES (?, ?, ${FILE_NO})`);
const findPan = store.prepare("SELECT file FROM vault_card JOIN payment_card USING (pan_id) WHERE issuer = 1 AND fingerprint = ?");
const findCard = store.prepare("SELECT pan_id, bin6, last4 FROM payment_card JOIN vault_card USING (pan_id) WHERE payment_card_id = ?");
const deleteCard = store.prepare("DELETE FROM payment_card WHERE pan_id = ?");
const deletePan = store.prepare("DELETE FROM vault_card WHERE pan_id = ?");

const stem = basename(options.file, ".csv.jwe");
const recon = new Out(join(options.outbound, `${stem}.recon.csv`));
recon.write(`HDR,1,${issuer},${service},${batch},${sequence},${created},${environment}\n`);
recon.write("line,record_ref,outcome,code,recoverable,pan_masked,payment_card_id,status\n");
const outcomes = { REGISTERED: 0, ALREADY_REGISTERED: 0, DEREGISTERED: 0, ENROLLED: 0, REJECTED: 0 };
const codes = {};

function row(line, reference, outcome, code, masked, cardId, status) {
  outcomes[outcome]++;
  if (code) codes[code] = (codes[code] ?? 0) + 1;
  const recoverable = code === "" ? "" : FINAL.has(code) ? "false" : "true";
  return `${line},${reference},${outcome},${code},${recoverable},${masked},${cardId},${status}\n`;
}

function held(fingerprint) {
  const found = findPan.get(fingerprint);
  return !found ? "BIN_UNSUPPORTED" : found.file === FILE_NO ? "DUPLICATE_IN_FILE" : "ALREADY_REGISTERED";
}

// Random identifiers would cost a second index visited at random: they begin with what grows.
const cardId = Buffer.alloc(16);
cardId.writeUIntBE(Date.now(), 0, 6);

function registered(line, reference, pan) {
  const masked = `${pan.slice(0, 6)}******${pan.slice(12)}`;
  const fingerprint = createHmac("sha256", fingerprintKey).update(pan).digest().subarray(0, 16);
  let code = "";
  if (isOwned(pan)) {
    const panId = FILE_NO * 2 ** 26 + line;
    const nonce = random(12);
    const cipher = createCipheriv("aes-256-gcm", dataKey, nonce);
    cipher.setAAD(Buffer.from(`1|${panId}|${issuer}`));
    const sealed = Buffer.concat([nonce, cipher.update(`${pan}ffff`, "hex"), cipher.final(), cipher.getAuthTag()]);
    if (insertPan.run(panId, fingerprint, sealed, Number(pan.slice(0, 6)), Number(pan.slice(12))).changes === 1) {
      cardId.writeUInt32BE(line, 6);
      random(6).copy(cardId, 10);
      insertCard.run(panId, cardId);
      return row(line, reference, "REGISTERED", "", masked, uuidText(cardId), "ACTIVE");
    }
  }
  code = held(fingerprint);
  const outcome = code === "ALREADY_REGISTERED" ? code : "REJECTED";
  return row(line, reference, outcome, code, masked, "", "");
}

function deleted(line, reference, id) {
  const raw = Buffer.from(id.replaceAll("-", ""), "hex");
  const found = findCard.get(raw);
  if (!found) return row(line, reference, "REJECTED", "NOT_REGISTERED", "", "", "");
  deleteCard.run(found.pan_id);
  deletePan.run(found.pan_id);
  const masked = `${String(found.bin6).padStart(6, "0")}******${String(found.last4).padStart(4, "0")}`;
  return row(line, reference, "DEREGISTERED", "", masked, uuidText(raw), "DELETED");
}

function decided(line, record) {
  let [reference, action, pan, currency, id] = at.map((column) => (column < 0 ? "" : record[column]));
  const found = [];
  let masked = "";
  if (!RECORD_REF.test(reference) || holdsCardNumber(reference)) {
    found.push(reference === "" ? "FIELD_MISSING" : "FIELD_INVALID");
    reference = "";
  }
  if (action === "" || action === "REGISTER") {
    const code = panCode(pan);
    if (code) found.push(code);
    else masked = `${pan.slice(0, 6)}******${pan.slice(12)}`;
    if (currency === "") found.push("FIELD_MISSING");
    else if (!currencies.has(currency.toUpperCase())) found.push("CURRENCY_INVALID");
    if (id !== "") found.push("FIELD_INVALID");
    if (found.length === 0) return registered(line, reference, pan);
  } else if (action === "DELETE") {
    if (pan !== "") found.push("FIELD_INVALID");
    if (currency !== "") found.push("FIELD_INVALID");
    if (!CARD_ID.test(id)) found.push(id === "" ? "FIELD_MISSING" : "FIELD_INVALID");
    if (found.length === 0) return deleted(line, reference, id);
  } else {
    found.push("FIELD_INVALID");
  }
  return row(line, reference, "REJECTED", found[0], masked, "", "");
}

const commit = store.transaction((first, count) => {
  let lines = "";
  for (let line = first; line < first + count; line++) {
    const record = cells(nextLine());
    if (record.length !== columns.length) refuse(`FORMAT_INVALID: line ${line}`);
    lines += decided(line, record);
  }
  return lines;
});

const size = Number(options.commit);
for (let done = 0; done < expected; done += size) {
  recon.write(commit.immediate(done + 3, Math.min(size, expected - done)));
}
if (position !== end) refuse("COUNT_MISMATCH");
store.close();
const digest = recon.sha.copy().digest("hex");
recon.write(`TRL,${expected},${Object.values(outcomes).join(",")},${digest}\n`);
recon.put();
const summary = new Out(join(options.outbound, `${stem}.summary.json`));
summary.write(JSON.stringify({
  file: basename(options.file), issuer, service, batch_id: batch, records: expected, outcomes, codes,
  received_at: receivedAt, finished_at: new Date().toISOString(), outbound: [{ name: basename(recon.path), sha256: digest }],
}));
summary.put();
