"""The programs that are compared: each takes the same work from an empty store to its end."""

import os
import shutil
import sqlite3
import string
from pathlib import Path

from . import measure
from .site import Site, drop, stem

BENCHES = Path(__file__).resolve().parent.parent
MIGRATION = BENCHES.parent / "src/ledger/migrations/sqlite/0001_main_job.sql"
# What a record of payment-cards is written to, and in which order.
HOT = ("fingerprint_old", "vault_card", "payment_card")
# Fingerprints that are still young are in no index; `.import` has no other place for them than the old one, in the order of the file.
ROWS = {"fingerprint_old": "SELECT issuer, fingerprint, pan_id FROM vault_card ORDER BY pan_id"}
# What somebody would make who writes a script: the first migration's.
PLAIN = ("issuer", "vault_card", "payment_card")
# As src/ledger/sqlite/opening.rs sets them.
PAGE_BYTES, CHECKPOINT_PAGES, CACHE_DEFAULT = 8192, 10000, "64MiB"
LETTERS = string.ascii_letters + string.digits + "-_"


def kib(size: str) -> int:
    for unit, factor in (("GiB", 1 << 20), ("MiB", 1 << 10), ("KiB", 1)):
        if size.endswith(unit):
            return int(size.removesuffix(unit)) * factor
    raise SystemExit(f"{size}: expected is a size such as 64MiB")


def plain_schema() -> str:
    """Tables and indexes for payment cards as somebody makes them who looks for nothing cleverer: those of the first migration."""
    statements = []
    text = "\n".join(line.split("--")[0].rstrip() for line in MIGRATION.read_text().splitlines())
    for code in map(str.strip, text.split(";")):
        words = code.replace("(", " ").split()
        of = words[words.index("ON") + 1] if "INDEX" in words else words[2] if words[:2] == ["CREATE", "TABLE"] else ""
        if of in PLAIN:
            statements.append(code + ";")
    return "\n".join(statements) + "\n"


def pragmas(cache: str) -> str:
    return (
        f"PRAGMA page_size = {PAGE_BYTES};\nPRAGMA journal_mode = WAL;\nPRAGMA synchronous = FULL;\n"
        f"PRAGMA cache_size = -{kib(cache)};\nPRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES};\n"
        "PRAGMA foreign_keys = ON;\nPRAGMA secure_delete = ON;\nPRAGMA temp_store = MEMORY;\n"
    )


def text(cell, key: int | None) -> str:
    """A cell for `.import`. Of an identifier that serves as key the first ten bytes grow, and so do ten digits here."""
    if not isinstance(cell, bytes):
        return str(cell)
    letters = "".join(LETTERS[byte & 63] for byte in cell)
    return letters if key is None else f"{key:010}{letters[10:]}"


class Nightdrop:
    """`nightdrop once` on an inbound directory that holds the file; the store does not exist yet."""

    name, checked = "nightdrop", True

    def __init__(self, site: Site, sealed: Path, cache: str | None):
        self.site, self.sealed, self.cache = site, sealed, cache

    def run(self) -> tuple[measure.Taken, Path]:
        home = self.site.fresh(self.name, cache=self.cache)
        drop(self.sealed, home)
        os.sync()
        outbound = home / "outbound" / "ACME"
        argv = [self.site.nightdrop, "once", "--config", home / "nightdrop.toml"]
        answer = outbound / f"{stem(self.sealed)}.summary.json"
        taken = measure.run(argv, self.site.base / "logs/nightdrop.log", answer=answer, exits=(0, 4))
        return taken, outbound / f"{stem(self.sealed)}.recon.csv"


class Import:
    """`sqlite3 .import` of the rows that nightdrop stored, prepared as CSV beforehand.

    Tables, indexes, pragmas and the order of keys are nightdrop's, the order of rows is the file's. `.import` can bring text only, so
    that the columns that hold bytes are text here, of exactly as many characters: staging and converting would cost it time, and
    hexadecimal would double its keys. A table is one transaction, as `.import` does by itself. It opens, checks, encrypts and reports
    nothing, and keeps no rows of chunks.
    """

    name, checked = "import", False

    def __init__(self, site: Site, sealed: Path, cache: str | None):
        self.site, self.sealed, self.cache = site, sealed, cache or CACHE_DEFAULT
        self.rows = site.base / "files" / f"{stem(sealed)}.rows"
        self.prepare()

    def prepare(self):
        if (self.rows / "schema.sql").exists():
            return
        Nightdrop(self.site, self.sealed, None).run()
        shutil.rmtree(self.rows, ignore_errors=True)
        self.rows.mkdir()
        store = sqlite3.connect(self.site.base / "runs/nightdrop/store/nightdrop.db")
        for table in HOT:
            key = "payment_card_id" if table == "payment_card" else None
            names = [row[1] for row in store.execute(f"PRAGMA table_info({table})")]
            with open(self.rows / f"{table}.csv", "w", encoding="ascii") as out:
                for n, row in enumerate(store.execute(ROWS.get(table, f"SELECT * FROM {table} ORDER BY pan_id"))):
                    cells = (text(cell, n if name == key else None) for name, cell in zip(names, row, strict=True))
                    out.write(",".join(cells) + "\n")
        made = store.execute(
            f"SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND tbl_name IN ({','.join('?' * len(HOT))}) ORDER BY type DESC", HOT
        )
        schema = "".join(f"{sql};\n" for (sql,) in made)
        store.close()
        (self.rows / "schema.part").write_text(schema)
        (self.rows / "schema.part").rename(self.rows / "schema.sql")

    def run(self) -> tuple[measure.Taken, None]:
        home = self.site.fresh(self.name)
        script = home / "import.sql"
        imports = [f".import {self.rows}/{table}.csv {table}" for table in HOT]
        schema = (self.rows / "schema.sql").read_text().replace("BLOB", "TEXT")
        script.write_text("\n".join([pragmas(self.cache) + schema + ".mode csv", *imports, ""]))
        os.sync()
        with open(script, "rb") as stdin:
            argv = ["sqlite3", "-batch", "-bail", home / "store/import.db"]
            taken = measure.run(argv, self.site.base / "logs/import.log", stdin=stdin)
        self.complain_unless_whole(home / "store/import.db")
        return taken, None

    def complain_unless_whole(self, path: Path):
        store = sqlite3.connect(path)
        for table in HOT:
            with open(self.rows / f"{table}.csv", "rb") as rows:
                expected = sum(1 for _ in rows)
            (found,) = store.execute(f"SELECT count(*) FROM {table}").fetchone()
            if found != expected:
                raise measure.Failed(f".import left {found} rows of {expected} in {table}")
        store.close()


class Peer:
    """A script that does the whole of the work: opens, validates, registers, reports."""

    checked = True

    def __init__(self, name: str, argv: list, site: Site, sealed: Path, cache: str | None):
        self.name, self.argv = name, argv
        self.site, self.sealed, self.cache = site, sealed, cache or CACHE_DEFAULT

    def run(self) -> tuple[measure.Taken, Path]:
        home = self.site.fresh(self.name)
        outbound = home / "outbound"
        outbound.mkdir()
        (home / "schema.sql").write_text(pragmas(self.cache) + plain_schema())
        base = self.site.base
        argv = [
            *self.argv,
            *("--file", self.sealed, "--key", base / "keys/envelope.jwk", "--vault-keys", base / "keys/peers.json"),
            *("--ranges", base / "reference/account_ranges.csv", "--currencies", BENCHES / "peers/currencies.json"),
            *("--schema", home / "schema.sql", "--store", home / "store/peer.db", "--outbound", outbound),
        ]
        os.sync()
        answer = outbound / f"{stem(self.sealed)}.summary.json"
        taken = measure.run(argv, base / f"logs/{self.name}.log", answer=answer)
        return taken, outbound / f"{stem(self.sealed)}.recon.csv"


def complain_unless_alike(one: Path, other: Path, who: str):
    """Compares what two answers say of each record: all but the identifiers that were given out."""
    with open(one, encoding="utf-8") as left, open(other, encoding="utf-8") as right:
        # The header, too, and the column line.
        for mine, theirs in zip(left, right, strict=True):
            mine, theirs = mine.split(","), theirs.split(",")
            # The last cell but one of a row is the identifier; that of the trailer is a count, and its last the digest.
            same = mine[:-1] == theirs[:-1] if mine[0] in ("HDR", "TRL") else mine[:6] == theirs[:6]
            if not same or len(mine) != len(theirs):
                raise measure.Failed(f"{who} answers otherwise: {','.join(theirs[:6])}, and nightdrop {','.join(mine[:6])}")
