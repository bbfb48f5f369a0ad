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
TABLES = ("issuer", "vault_card", "payment_card")
# As src/ledger/sqlite/opening.rs sets them.
PAGE_BYTES, CHECKPOINT_PAGES, CACHE_DEFAULT = 8192, 10000, "64MiB"
LETTERS = string.ascii_letters + string.digits + "-_"


def kib(size: str) -> int:
    for unit, factor in (("GiB", 1 << 20), ("MiB", 1 << 10), ("KiB", 1)):
        if size.endswith(unit):
            return int(size.removesuffix(unit)) * factor
    raise SystemExit(f"{size}: expected is a size such as 64MiB")


def schema(tables=TABLES) -> str:
    """The tables and indexes that hold payment cards, as the migration makes them."""
    statements = []
    text = "\n".join(line.split("--")[0].rstrip() for line in MIGRATION.read_text().splitlines())
    for code in map(str.strip, text.split(";")):
        words = code.replace("(", " ").split()
        of = words[words.index("ON") + 1] if "INDEX" in words else words[2] if words[:2] == ["CREATE", "TABLE"] else ""
        if of in tables:
            statements.append(code + ";")
    return "\n".join(statements) + "\n"


def pragmas(cache: str) -> str:
    return (
        f"PRAGMA page_size = {PAGE_BYTES};\nPRAGMA journal_mode = WAL;\nPRAGMA synchronous = FULL;\n"
        f"PRAGMA cache_size = -{kib(cache)};\nPRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES};\n"
    )


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

    `.import` can bring text only, so that the columns that hold bytes are text here, of exactly as many characters: staging
    and converting would cost it time, and hexadecimal would double its keys. The names of tables and indexes, the other columns,
    the order of rows (the file's) and of keys are nightdrop's. Foreign keys are off, as the shell has them. A table is one
    transaction, as `.import` does by itself. It opens, checks, encrypts and reports nothing.
    """

    name, checked = "import", False

    def __init__(self, site: Site, sealed: Path, cache: str | None):
        self.site, self.sealed, self.cache = site, sealed, cache or CACHE_DEFAULT
        self.rows = site.base / "files" / f"{stem(sealed)}.rows"
        self.prepare()

    def prepare(self):
        if (self.rows / "payment_card.csv").exists():
            return
        Nightdrop(self.site, self.sealed, None).run()
        shutil.rmtree(self.rows, ignore_errors=True)
        self.rows.mkdir()
        store = sqlite3.connect(self.site.base / "runs/nightdrop/store/nightdrop.db")

        def text(blob: bytes) -> str:
            return "".join(LETTERS[byte & 63] for byte in blob)

        with open(self.rows / "vault_card.csv", "w", encoding="ascii") as out:
            for row in store.execute(
                "SELECT pan_id, issuer, fingerprint, sealed, epoch, digits, bin6, last4, references_held "
                "FROM vault_card ORDER BY pan_id"
            ):
                cells = [text(cell) if isinstance(cell, bytes) else str(cell) for cell in row]
                out.write(",".join(cells) + "\n")
        part = self.rows / "payment_card.part"
        with open(part, "w", encoding="ascii") as out:
            for n, (pan_id, card_id, file) in enumerate(
                store.execute("SELECT pan_id, payment_card_id, file FROM payment_card ORDER BY pan_id")
            ):
                # Ten digits that grow, as the first ten bytes of the identifier do, then what of it is random.
                out.write(f"{pan_id},{n:010}{text(card_id[10:])},{file}\n")
        store.close()
        part.rename(self.rows / "payment_card.csv")

    def run(self) -> tuple[measure.Taken, None]:
        home = self.site.fresh(self.name)
        script = home / "import.sql"
        script.write_text(
            pragmas(self.cache)
            + schema().replace("BLOB", "TEXT")
            + "INSERT INTO issuer VALUES (1, 'ACME');\n.mode csv\n"
            + f".import {self.rows}/vault_card.csv vault_card\n.import {self.rows}/payment_card.csv payment_card\n"
        )
        os.sync()
        with open(script, "rb") as stdin:
            argv = ["sqlite3", "-batch", "-bail", home / "store/import.db"]
            taken = measure.run(argv, self.site.base / "logs/import.log", stdin=stdin)
        self.complain_unless_whole(home / "store/import.db")
        return taken, None

    def complain_unless_whole(self, path: Path):
        with open(self.rows / "vault_card.csv", "rb") as rows:
            expected = sum(1 for _ in rows)
        store = sqlite3.connect(path)
        for table in ("vault_card", "payment_card"):
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
        (home / "schema.sql").write_text(pragmas(self.cache) + schema())
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
