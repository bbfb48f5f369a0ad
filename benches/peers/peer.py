#!/usr/bin/env python3
"""What a careful user would write for payment-cards files: one sealed CSV file into SQLite, an answer out.

The whole token is decrypted in memory, every rule is applied, PANs are fingerprinted (HMAC-SHA-256) and sealed (AES-256-GCM),
rows go in with executemany in large transactions, the answer is written durably. With `--pool N` the work on records that needs
no database is done by N processes. It leaves out what a script would: restarts, several files, keys that change.
"""

import argparse
import base64
import bisect
import collections
import csv
import hashlib
import hmac
import io
import itertools
import json
import multiprocessing
import os
import re
import sqlite3
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

FILE_NO = 1
COLUMNS = ["record_ref", "action", "pan", "card_base_currency", "payment_card_id"]
ALL = list(range(len(COLUMNS)))
RECORD_REF = re.compile(r"[A-Za-z0-9_.:][A-Za-z0-9_.:-]{0,99}").fullmatch
CARD_ID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}").fullmatch
MANGLED = re.compile(r"[0-9]+([.,][0-9]*)?[eE][+-]?[0-9]+").fullmatch
DIGITS = re.compile(r"[0-9]+")
LETTERS = re.compile(r"[A-Za-z]")
FINAL = {"ALREADY_REGISTERED", "DUPLICATE_IN_FILE", "NOT_REGISTERED"}
VALUE = bytes(range(10)).rjust(58, b"\0").ljust(256, b"\0")
DOUBLED = bytes([0, 2, 4, 6, 8, 1, 3, 5, 7, 9]).rjust(58, b"\0").ljust(256, b"\0")


def unsealed(token: bytes, jwk: dict) -> bytes:
    """Opens a compact JWE of RSA-OAEP-256 and A256GCM."""

    def decoded(segment: bytes) -> bytes:
        return base64.urlsafe_b64decode(segment + b"=" * (-len(segment) % 4))

    def number(name: str) -> int:
        return int.from_bytes(decoded(jwk[name].encode()), "big")

    header, encrypted_key, nonce, ciphertext, tag = token.strip().split(b".")
    claims = json.loads(decoded(header))
    if (claims.get("alg"), claims.get("enc")) != ("RSA-OAEP-256", "A256GCM") or "crit" in claims or "zip" in claims:
        raise SystemExit("ALGORITHM_REFUSED")
    if claims.get("kid", jwk["kid"]) != jwk["kid"]:
        raise SystemExit("KEY_UNKNOWN")
    public = rsa.RSAPublicNumbers(number("e"), number("n"))
    private = rsa.RSAPrivateNumbers(*(number(name) for name in ("p", "q", "d", "dp", "dq", "qi")), public).private_key()
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    content_key = private.decrypt(decoded(encrypted_key), oaep)
    return AESGCM(content_key).decrypt(decoded(nonce), decoded(ciphertext) + decoded(tag), header)


def luhn(digits: bytes) -> bool:
    return (sum(digits[-1::-2].translate(VALUE)) + sum(digits[-2::-2].translate(DOUBLED))) % 10 == 0


def holds_card_number(text: str) -> bool:
    if sum(map(str.isdigit, text)) < 13:
        return False

    def is_card(digits: str) -> bool:
        return 13 <= len(digits) <= 19 and luhn(digits.encode())

    if any(map(is_card, DIGITS.findall(text))):
        return True
    for part in LETTERS.split(text):
        groups = DIGITS.findall(part)
        if groups and all(len(group) == 4 for group in groups[:-1]) and len(groups[-1]) <= 4 and is_card("".join(groups)):
            return True
    return False


class Judge:
    """What can be said of a record by itself; made once in each process."""

    def __init__(self, vault_keys: dict, ranges: list, currencies: list, issuer: str, prefix: bytes):
        self.fingerprint_key, self.data = bytes.fromhex(vault_keys["fingerprint"]), AESGCM(bytes.fromhex(vault_keys["data"]))
        self.lows, self.highs = [low for low, _ in ranges], [high for _, high in ranges]
        self.currencies, self.issuer, self.prefix = frozenset(currencies), issuer.encode(), prefix

    def of(self, line: int, record: list) -> tuple:
        """(line, record_ref, code, masked, kind, what is to be stored)."""
        reference, action, pan, currency, card_id = record
        codes = []
        if not RECORD_REF(reference) or holds_card_number(reference):
            codes.append("FIELD_INVALID" if reference else "FIELD_MISSING")
            reference = ""
        masked = ""
        if action in ("", "REGISTER"):
            digits = pan.encode()
            if code := self.pan_code(pan, digits):
                codes.append(code)
            else:
                masked = f"{pan[:6]}******{pan[12:]}"
            if not currency:
                codes.append("FIELD_MISSING")
            elif currency.upper() not in self.currencies:
                codes.append("CURRENCY_INVALID")
            if card_id:
                codes.append("FIELD_INVALID")
            if codes:
                return (line, reference, codes[0], masked, None, None)
            fingerprint = hmac.digest(self.fingerprint_key, digits, "sha256")[:16]
            padded = pan.ljust(19, "0")
            at = bisect.bisect_right(self.lows, padded) - 1
            if at < 0 or pan.ljust(19, "9") > self.highs[at]:
                return (line, reference, "", masked, "lookup", fingerprint)
            pan_id = FILE_NO << 26 | line
            nonce = os.urandom(12)
            sealed = nonce + self.data.encrypt(nonce, bytes.fromhex(pan + "ffff"), b"%d|%d|%s" % (1, pan_id, self.issuer))
            # Random identifiers would cost a second index visited at random: they begin with what grows.
            new_id = self.prefix + line.to_bytes(4, "big") + os.urandom(6)
            row = (pan_id, fingerprint, sealed, int(pan[:6]), int(pan[12:]), new_id)
            return (line, reference, "", masked, "register", row)
        if action == "DELETE":
            codes.extend("FIELD_INVALID" for cell in (pan, currency) if cell)
            if not CARD_ID(card_id):
                codes.append("FIELD_INVALID" if card_id else "FIELD_MISSING")
            if not codes:
                return (line, reference, "", "", "delete", bytes.fromhex(card_id.replace("-", "")))
        else:
            codes.append("FIELD_INVALID")
        return (line, reference, codes[0], "", None, None)

    @staticmethod
    def pan_code(pan: str, digits: bytes) -> str:
        if not digits.isdigit():
            return "FIELD_MISSING" if not pan else "PAN_MANGLED" if MANGLED(pan) else "PAN_FORMAT"
        if len(digits) != 16:
            return "PAN_LENGTH"
        return "" if luhn(digits) else "PAN_LUHN"


JUDGE: Judge


def begin(*of):
    global JUDGE
    JUDGE = Judge(*of)


def judged(part: tuple) -> list:
    """Judges lines as they stand in the file; no cell of a good record holds a line break."""
    first, lines, at = part
    reader = csv.reader(io.StringIO(b"".join(lines).decode(), newline=""), strict=True)
    judge, found, width = JUDGE.of, [], sum(n is not None for n in at)
    for line, record in enumerate(reader, first):
        if len(record) != width:
            raise SystemExit(f"FORMAT_INVALID: line {line}")
        found.append(judge(line, record if at == ALL else [record[n] if n is not None else "" for n in at]))
    return found


def pooled(pool, batches, in_flight: int):
    """In order; Pool.imap would read all batches into memory at once."""
    waiting = collections.deque()
    for batch in batches:
        waiting.append(pool.apply_async(judged, (batch,)))
        if len(waiting) > in_flight:
            yield waiting.popleft().get()
    while waiting:
        yield waiting.popleft().get()


class Register:
    """Payment cards in SQLite, decided in file order."""

    def __init__(self, path: Path, schema: str, issuer: str):
        self.store = sqlite3.connect(path, isolation_level=None)
        self.store.executescript(schema)
        self.store.execute("INSERT OR IGNORE INTO issuer VALUES (1, ?)", (issuer,))

    def commit(self, batch: list) -> list:
        """One transaction; gives (line, record_ref, outcome, code, masked, identifier, status) for each record."""
        self.store.execute("BEGIN IMMEDIATE")
        answers, plain = [], []
        for record in batch:
            if record[4] == "delete":
                self.insert(plain, answers)
                plain = []
                answers.append(self.delete(record))
            else:
                plain.append(record)
        self.insert(plain, answers)
        self.store.execute("COMMIT")
        return answers

    def insert(self, records: list, answers: list):
        news = [record[5] for record in records if record[4] == "register"]
        inserted = self.store.executemany(
            "INSERT OR IGNORE INTO vault_card VALUES (?, 1, ?, ?, 1, 16, ?, ?, 1)", (row[:5] for row in news)
        ).rowcount if news else 0
        lost = set()
        if inserted < len(news):
            among = (news[0][0], news[-1][0])
            held = self.store.execute("SELECT pan_id FROM vault_card WHERE pan_id BETWEEN ? AND ?", among)
            lost = {row[0] for row in news} - {pan_id for (pan_id,) in held}
        self.store.executemany(
            f"INSERT INTO payment_card VALUES (?, ?, {FILE_NO})", ((row[0], row[5]) for row in news if row[0] not in lost)
        )
        for line, reference, code, masked, kind, what in records:
            if kind == "register" and what[0] not in lost:
                answers.append((line, reference, "REGISTERED", "", masked, uuid_text(what[5]), "ACTIVE"))
                continue
            if kind is not None:
                fingerprint = what if kind == "lookup" else what[1]
                code = self.held(fingerprint) or "BIN_UNSUPPORTED"
            outcome = "ALREADY_REGISTERED" if code == "ALREADY_REGISTERED" else "REJECTED"
            answers.append((line, reference, outcome, code, masked, "", ""))

    def held(self, fingerprint: bytes) -> str:
        found = self.store.execute(
            "SELECT file FROM vault_card JOIN payment_card USING (pan_id) WHERE issuer = 1 AND fingerprint = ?", (fingerprint,)
        ).fetchone()
        return "" if not found else "DUPLICATE_IN_FILE" if found[0] == FILE_NO else "ALREADY_REGISTERED"

    def delete(self, record: tuple) -> tuple:
        line, reference, _, _, _, card_id = record
        found = self.store.execute(
            "SELECT pan_id, bin6, last4 FROM payment_card JOIN vault_card USING (pan_id) WHERE payment_card_id = ?", (card_id,)
        ).fetchone()
        if not found:
            return (line, reference, "REJECTED", "NOT_REGISTERED", "", "", "")
        pan_id, bin6, last4 = found
        self.store.execute("DELETE FROM payment_card WHERE pan_id = ?", (pan_id,))
        self.store.execute("DELETE FROM vault_card WHERE pan_id = ?", (pan_id,))
        return (line, reference, "DEREGISTERED", "", f"{bin6:06}******{last4:04}", uuid_text(card_id), "DELETED")


def uuid_text(raw: bytes) -> str:
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


class Answer:
    """The reconciliation file: beside its place, synced, then under its name."""

    def __init__(self, path: Path, header: list):
        self.path, self.part = path, path.with_suffix(".part")
        self.out, self.sha, self.outcomes, self.codes = open(self.part, "wb"), hashlib.sha256(), Counter(), Counter()
        issuer, service, batch, sequence, created, environment = header[2:8]
        self.write(f"HDR,1,{issuer},{service},{batch},{sequence},{created},{environment}\n")
        self.write("line,record_ref,outcome,code,recoverable,pan_masked,payment_card_id,status\n")

    def write(self, text: str):
        data = text.encode()
        self.sha.update(data)
        self.out.write(data)

    def rows(self, answers: list):
        lines = []
        for line, reference, outcome, code, masked, card_id, status in answers:
            recoverable = "" if not code else "false" if code in FINAL else "true"
            lines.append(f"{line},{reference},{outcome},{code},{recoverable},{masked},{card_id},{status}\n")
            self.outcomes[outcome] += 1
            if code:
                self.codes[code] += 1
        self.write("".join(lines))

    def finish(self) -> str:
        names = ("REGISTERED", "ALREADY_REGISTERED", "DEREGISTERED", "ENROLLED", "REJECTED")
        counts = ",".join(str(self.outcomes[name]) for name in names)
        self.write(f"TRL,{self.outcomes.total()},{counts},{self.sha.hexdigest()}\n")
        put(self.out, self.part, self.path)
        return self.sha.hexdigest()


def put(out, part: Path, path: Path):
    out.flush()
    os.fsync(out.fileno())
    out.close()
    part.rename(path)
    directory = os.open(path.parent, os.O_RDONLY)
    os.fsync(directory)
    os.close(directory)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("file", "key", "vault-keys", "ranges", "currencies", "schema", "store", "outbound"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--pool", type=int, default=0, help="processes that judge records")
    parser.add_argument("--commit", type=int, default=50_000, help="records a transaction")
    options = parser.parse_args()
    received_at = datetime.now(UTC).isoformat()

    plain = unsealed(options.file.read_bytes(), json.loads(options.key.read_bytes()))
    end = plain.rindex(b"\n", 0, len(plain) - 1) + 1
    trailer = plain[end:].decode().strip().split(",")
    if trailer[0] != "TRL":
        raise SystemExit("TRAILER_MISSING")
    if trailer[2] and trailer[2] != hashlib.sha256(memoryview(plain)[:end]).hexdigest():
        raise SystemExit("DIGEST_MISMATCH")
    lines = io.BytesIO(plain)
    del plain
    header, columns = next(csv.reader([lines.readline().decode()])), next(csv.reader([lines.readline().decode()]))
    expected = int(trailer[1])
    if header[:2] != ["HDR", "1"] or header[3] != "payment-cards" or not set(columns) <= set(COLUMNS):
        raise SystemExit("HEADER_MISMATCH")
    at = [columns.index(name) if name in columns else None for name in COLUMNS]

    issuer = header[2]
    with open(options.ranges, newline="", encoding="utf-8") as ranges_file:
        ranges = sorted(
            (row["low"].ljust(19, "0"), row["high"].ljust(19, "9"))
            for row in csv.DictReader(ranges_file)
            if row["issuer"] == issuer and "payment-cards" in row["services"].split("|")
        )
    stem = options.file.name.removesuffix(".csv.jwe")
    prefix = int(time.time() * 1000).to_bytes(6, "big")
    of = (json.loads(options.vault_keys.read_bytes()), ranges, json.loads(options.currencies.read_bytes()), issuer, prefix)
    begin(*of)

    def batches(size: int):
        for first in range(3, 3 + expected, size):
            yield first, list(itertools.islice(lines, min(size, 3 + expected - first))), at

    register = Register(options.store, options.schema.read_text(), issuer)
    answer = Answer(options.outbound / f"{stem}.recon.csv", header)
    if options.pool:
        # Small parts keep both processes busy; as many of them as are a transaction are committed together.
        part = 5_000
        with multiprocessing.Pool(options.pool, begin, of) as pool:
            parts = pooled(pool, batches(part), in_flight=2 * options.pool)
            while group := list(itertools.islice(parts, max(1, options.commit // part))):
                answer.rows(register.commit([record for part in group for record in part]))
    else:
        for batch in batches(options.commit):
            answer.rows(register.commit(judged(batch)))
    counted = answer.outcomes.total()
    if counted != expected or lines.tell() != end:
        raise SystemExit("COUNT_MISMATCH")
    digest = answer.finish()
    register.store.close()
    summary = {
        "file": options.file.name, "issuer": issuer, "service": header[3], "batch_id": header[4], "records": counted,
        "outcomes": answer.outcomes, "codes": answer.codes, "received_at": received_at,
        "finished_at": datetime.now(UTC).isoformat(), "outbound": [{"name": answer.path.name, "sha256": digest}],
    }
    path = options.outbound / f"{stem}.summary.json"
    part = path.with_suffix(".part")
    out = open(part, "w", encoding="utf-8")
    json.dump(summary, out)
    put(out, part, path)


if __name__ == "__main__":
    main()
