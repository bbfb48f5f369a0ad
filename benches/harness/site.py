"""A site to measure on: keys, reference data, configuration, sealed files; and fresh stores for it."""

import json
import os
import shutil
import subprocess
from pathlib import Path

SERVICES = {
    # service: the beginning of its files' names
    "payment-cards": "PAYCARDS",
    "pan-lists": "PANLISTS",
    "cards": "CARDS",
    "card-contracts": "CONTRACTS",
}
ISSUERS = ["ACME"] + [f"ACME{n}" for n in range(2, 11)]
RANGE = ("2303770000000000000", "2303779999999999999")

# Everything is at its default but the directories, and `settle`: with none of it nothing is waited for, and no wait has to be
# taken off what was measured.
CONFIG = """\
[daemon]
settle = "0s"
[store]
url = "sqlite:store/nightdrop.db"
{store}[vault]
key_encryption_key = {{ file = "{base}/keys/kek.key" }}
[reference]
account_ranges = "{base}/reference/account_ranges.csv"
card_products = "{base}/reference/card_products.csv"
"""
ISSUER = """\
[[issuer]]
id = "{issuer}"
inbound = "inbound/{issuer}"
outbound = "outbound/{issuer}"
"""
FEED = """\
[[feed]]
name = "{name}"
issuer = "{issuer}"
service = "{service}"
files = "{issuer}_{prefix}_*"
envelopes = ["jwe"]
keys = ["{base}/keys/envelope.jwk"]
environment = "TEST"
"""


class Site:
    """Keys and files that stay; stores and outbound directories are made anew for each run."""

    def __init__(self, base: Path, nightdrop: Path, issuers: int = 1):
        self.base, self.nightdrop, self.issuers = base, nightdrop, ISSUERS[:issuers]
        for part in ("keys", "reference", "files", "logs"):
            (base / part).mkdir(parents=True, exist_ok=True)
        if not (base / "keys/kek.key").exists():
            self.ask("keys", "new", "kek", "--out", base / "keys/kek.key")
        if not (base / "keys/envelope.jwk").exists():
            self.ask("keys", "new", "envelope", "--kid", "bench", "--out", base / "keys/envelope.jwk")
        vault = base / "keys/peers.json"
        if not vault.exists():
            vault.write_text(json.dumps({"fingerprint": os.urandom(32).hex(), "data": os.urandom(32).hex()}))
        low, high = RANGE
        ranges = [f"{issuer},1,1001,FR,{low},{high},payment-cards|pan-lists" for issuer in ISSUERS]
        (base / "reference/account_ranges.csv").write_text(
            "issuer,cid,ica,country,low,high,services\n" + "".join(f"{line}\n" for line in ranges)
        )
        products = [f"{issuer},GOLD,MC,true" for issuer in ISSUERS]
        (base / "reference/card_products.csv").write_text(
            "issuer,card_product_id,scheme,tokenization_eligible\n" + "".join(f"{line}\n" for line in products)
        )
        (base / "sample.toml").write_text(self.config(""))

    def config(self, store: str) -> str:
        text = CONFIG.format(base=self.base, store=store)
        for issuer in self.issuers:
            text += ISSUER.format(issuer=issuer)
            for service, prefix in SERVICES.items():
                name = f"{issuer.lower()}-{service}"
                text += FEED.format(name=name, issuer=issuer, service=service, prefix=prefix, base=self.base)
        return text

    def ask(self, *argv):
        done = subprocess.run([str(self.nightdrop), *map(str, argv)], capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"nightdrop {' '.join(map(str, argv))} ended with {done.returncode}: {done.stderr}")

    def sealed(self, service: str, records: int, *, seed: int = 1, bad: int = 0, issuer: str = "ACME") -> Path:
        """A sealed CSV file of synthetic records; made once and kept."""
        stem = f"{issuer}_{SERVICES[service]}_{records}_{bad}_{seed}"
        sealed = self.base / "files" / f"{stem}.csv.jwe"
        if not sealed.exists():
            plain = sealed.with_suffix("")
            plain.unlink(missing_ok=True)
            feed = f"{issuer.lower()}-{service}"
            options = ["--service", service, "--records", records, "--bad", bad, "--seed", seed]
            self.ask("sample", *options, "--config", self.base / "sample.toml", "--feed", feed, "--out", plain)
            self.ask("seal", plain, "--to", self.base / "keys/envelope.pub.jwk", "--out", sealed)
            plain.unlink()
        return sealed

    def fresh(self, name: str, *, cache: str | None = None, store: Path | None = None) -> Path:
        """An empty directory with a configuration; with the store given, a copy of it.

        What lay there before goes, so a run that makes many files wants a name of its own: ext4 without a journal looks, for each file
        that is made, at every inode number freed in the last minutes.
        """
        home = self.base / "runs" / name
        shutil.rmtree(home, ignore_errors=True)
        (home / "store").mkdir(parents=True)
        if store:
            shutil.copytree(store, home / "store", dirs_exist_ok=True)
        for issuer in self.issuers:
            (home / "inbound" / issuer).mkdir(parents=True)
        (home / "nightdrop.toml").write_text(self.config(f'cache = "{cache}"\n' if cache else ""))
        return home


def drop(sealed: Path, home: Path, issuer: str = "ACME"):
    """Puts a copy of a file into the inbound directory: the original of a run is removed by it."""
    shutil.copyfile(sealed, home / "inbound" / issuer / sealed.name)


def stem(sealed: Path) -> str:
    return sealed.name.removesuffix(".csv.jwe")


def outcome(summary: Path, name: str) -> int:
    return json.loads(summary.read_text())["outcomes"][name]


def disjoint_seed(skipped: int) -> int:
    """A seed whose sample has no card number of the first `skipped` of seed 0, nor of one between.

    The n-th number of a seed is n * step + seed * stride modulo the size of the range (src/services/sample/numbers.rs), so that a
    seed can be found which begins where another ends. Were that changed, fewer records would be registered, and the runs that need it
    fail on that.
    """
    size, step, stride = 10**9, 7_654_321, 332_233
    return skipped * step * pow(stride, -1, size) % size
