//! How a test's daemon is configured.

use std::fmt::Write as _;

use crate::pan;

/// What differs from test to test. The rest of the configuration is the same for all.
#[derive(Clone)]
pub(crate) struct Shape {
    pub(crate) settle: &'static str,
    pub(crate) stalled: &'static str,
    pub(crate) workers: u32,
    pub(crate) chunk_records: u32,
    /// Ids of the issuers; the first is the one that files are dropped for unless a test says otherwise.
    pub(crate) issuers: Vec<&'static str>,
    /// The services that each issuer has a feed for, `ISSUER-SERVICE`.
    pub(crate) services: Vec<&'static str>,
    /// Whether recon and errors are sealed for the issuers.
    pub(crate) reply: bool,
    /// The value of every feed's `envelopes`.
    pub(crate) envelopes: &'static str,
    /// More lines of every `[[feed]]`.
    pub(crate) feed: &'static str,
    /// More lines of `[limits]`.
    pub(crate) limits: &'static str,
    /// More lines of `[daemon]`.
    pub(crate) daemon: &'static str,
    /// More lines of `[store]`.
    pub(crate) store: &'static str,
    /// More tables at the end.
    pub(crate) more: &'static str,
    /// The log filter the binary is given in its environment.
    pub(crate) log: &'static str,
    /// Whether its runs are traced, and held against what the unit allows.
    pub(crate) traced: bool,
    /// More of its environment.
    pub(crate) env: &'static [(&'static str, &'static str)],
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            settle: "50ms",
            stalled: "0s",
            workers: 2,
            chunk_records: 100,
            issuers: vec!["ACME"],
            services: vec!["payment-cards"],
            reply: true,
            envelopes: r#"["jwe"]"#,
            feed: "",
            limits: "",
            daemon: "",
            store: "",
            more: "",
            log: "info",
            traced: false,
            env: &[],
        }
    }
}

impl Shape {
    /// The configuration file.
    pub(crate) fn toml(&self) -> String {
        let Self { settle, stalled, workers, chunk_records, envelopes, feed, limits, daemon, store, more, .. } = self;
        let mut text = format!(
            r#"[daemon]
inbound = "inbound"
outbound = "outbound"
work = "work"
archive = "archive"
quarantine = "quarantine"
settle = "{settle}"
stalled = "{stalled}"
scan = "100ms"
workers = {workers}
chunk_records = {chunk_records}
contact = "cards-ops@example.com"
{daemon}

[limits]
free_bytes = "1MiB"
{limits}

[store]
url = "sqlite:nightdrop.db"
{store}

[vault]
key_encryption_key = {{ file = "keys/kek.key" }}

[reference]
account_ranges = "reference/account_ranges.csv"
card_products = "reference/card_products.csv"

[telemetry]
log = "text"
"#
        );
        let reply = if self.reply { "reply_key = \"keys/reply.pub.jwk\"\n" } else { "" };
        for id in &self.issuers {
            write!(text, "\n[[issuer]]\nid = \"{id}\"\n{reply}{ENROLL}currencies = [\"EUR\", \"USD\"]\n").unwrap();
        }
        for (id, service) in self.issuers.iter().flat_map(|id| self.services.iter().map(move |service| (id, service))) {
            let (name, kind) = (id.to_lowercase(), kind(service));
            let after = if *service == "click-to-pay" && self.services.contains(&"card-contracts") {
                format!("after = [\"{name}-card-contracts\"]\n")
            } else {
                String::new()
            };
            write!(
                text,
                r#"
[[feed]]
name = "{name}-{service}"
issuer = "{id}"
service = "{service}"
files = "{id}_{kind}_*"
envelopes = {envelopes}
keys = ["keys/feed.jwk", "keys/feed-ec.jwk"]
environment = "TEST"
{after}{feed}
"#
            )
            .unwrap();
        }
        text.push_str(more);
        text
    }

    /// The account ranges: one of its own for each issuer, and one that all have.
    pub(crate) fn account_ranges(&self) -> String {
        let mut text = String::from("issuer,cid,ica,country,low,high,services\n");
        for id in &self.issuers {
            let prefix = if *id == "ACME" { pan::ACME } else { pan::OTHER };
            for prefix in [prefix, pan::SHARED] {
                let (low, high) = ("0".repeat(13), "9".repeat(13));
                writeln!(text, "{id},242666,19246,USA,{prefix}{low},{prefix}{high},payment-cards|pan-lists").unwrap();
            }
        }
        text
    }

    /// The card products: the same for each issuer.
    pub(crate) fn card_products(&self) -> String {
        let mut text = String::from("issuer,card_product_id,scheme,tokenization_eligible\n");
        for id in &self.issuers {
            writeln!(text, "{id},gold,MASTERCARD,true\n{id},plain,MASTERCARD,false").unwrap();
        }
        text
    }
}

/// Whom card objects are sealed for.
const ENROLL: &str = "enroll_client_encryption_key = \"keys/enroll.pub.jwk\"\n";

/// How files of a service are called, after the issuer's id.
pub(crate) fn kind(service: &str) -> &'static str {
    match service {
        "payment-cards" => "PAYCARDS",
        "pan-lists" => "PANLISTS",
        "cards" => "CARDS",
        "card-contracts" => "CONTRACTS",
        "click-to-pay" => "CLICK",
        other => panic!("no service is called {other}"),
    }
}
