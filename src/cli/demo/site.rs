//! The demo's site: configuration, keys, reference data.

use std::path::Path;

use anyhow::Context;

use crate::cli::keys;
use crate::open::{KeyType, Recipient};

/// The issuer's ranges for payment cards: the public sandbox's.
const RANGE_LOW: &str = "2303770000000000000";
const RANGE_HIGH: &str = "2303779999999999999";

const CONFIG: &str = r#"# Made by `nightdrop demo`. Relative paths start here.

[daemon]
inbound = "inbound"
outbound = "outbound"
settle = "500ms"
stalled = "0s"          # the demo does not wait for an upload to go on; a real site keeps the default, 10m
scan = "1s"
contact = "cards-ops@example.com"

[store]
url = "sqlite:nightdrop.db"

[vault]
key_encryption_key = { file = "keys/kek.key" }

[reference]
account_ranges = "reference/account_ranges.csv"
card_products = "reference/card_products.csv"

[telemetry]
log = "text"

[[issuer]]
id = "ACME"
reply_key = "keys/acme-reply.pub.jwk"
enroll_client_encryption_key = "keys/acme-enroll.pub.jwk"
currencies = ["EUR", "USD"]

[[feed]]
name = "acme-payment-cards"
issuer = "ACME"
service = "payment-cards"
files = "ACME_PAYCARDS_*"
envelopes = ["jwe"]
keys = ["keys/acme-2026.jwk"]
environment = "TEST"

[[feed]]
name = "acme-pan-lists"
issuer = "ACME"
service = "pan-lists"
files = "ACME_PANLISTS_*"
envelopes = ["jwe"]
keys = ["keys/acme-2026.jwk"]
environment = "TEST"

[[feed]]
name = "acme-cards"
issuer = "ACME"
service = "cards"
files = "ACME_CARDS_*"
envelopes = ["jwe"]
keys = ["keys/acme-2026.jwk"]
environment = "TEST"

[[feed]]
name = "acme-cards-d1"
issuer = "ACME"
service = "cards"
files = "ACME_D1-*"
envelopes = ["none", "jwe"]        # the cards of a batch are sealed one by one
keys = ["keys/acme-2026.jwk"]
format = "d1-batch"
d1_issuer_id = "ACME_D1"
environment = "TEST"

[[feed]]
name = "acme-card-contracts"
issuer = "ACME"
service = "card-contracts"
files = "ACME_CONTRACTS_*"
envelopes = ["jwe"]
keys = ["keys/acme-2026.jwk"]
environment = "TEST"

[[feed]]
name = "acme-click-to-pay"
issuer = "ACME"
service = "click-to-pay"
files = "ACME_CLICKTOPAY_*"
envelopes = ["jwe"]
keys = ["keys/acme-2026.jwk"]
environment = "TEST"
after = ["acme-card-contracts"]   # PANs come from there
"#;

/// Writes the site; gives back whom its files are sealed for.
pub(super) fn make(dir: &Path) -> anyhow::Result<Recipient> {
    for name in ["inbound", "outbound", "keys", "reference"] {
        std::fs::create_dir_all(dir.join(name))?;
    }
    keys::new_kek(&dir.join("keys/kek.key"))?;
    keys::new_envelope("acme-2026", KeyType::Rsa3072, &dir.join("keys/acme-2026.jwk"))?;
    keys::new_envelope("acme-reply", KeyType::EcP256, &dir.join("keys/acme-reply.jwk"))?;
    keys::new_envelope("acme-enroll", KeyType::Rsa3072, &dir.join("keys/acme-enroll.jwk"))?;
    let ranges = format!(
        "issuer,cid,ica,country,low,high,services\nACME,1,1001,FR,{RANGE_LOW},{RANGE_HIGH},payment-cards|pan-lists\n"
    );
    std::fs::write(dir.join("reference/account_ranges.csv"), ranges)?;
    let products =
        "issuer,card_product_id,scheme,tokenization_eligible\nACME,GOLD,MASTERCARD,true\nACME,PLAIN,MASTERCARD,false\n";
    std::fs::write(dir.join("reference/card_products.csv"), products)?;
    std::fs::write(dir.join("nightdrop.toml"), CONFIG)?;
    let public = std::fs::read(dir.join("keys/acme-2026.pub.jwk"))?;
    Recipient::parse(&public).context("the key just made does not read")
}
