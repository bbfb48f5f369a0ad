//! Inbound files, of payment-cards unless told otherwise: right by default and wrong where a test says so.

use std::fmt::Write as _;

use openssl::hash::{MessageDigest, hash};

use crate::pan;
use crate::world::kind;

/// All columns of payment-cards.
pub(crate) const COLUMNS: &str = "record_ref,action,pan,card_base_currency,payment_card_id";

/// A CSV file with control records. Every part can be set to something wrong before it is written out.
#[derive(Clone)]
pub(crate) struct CsvFile {
    pub(crate) version: String,
    pub(crate) issuer: String,
    pub(crate) service: String,
    /// What its name says that it is.
    pub(crate) kind: &'static str,
    pub(crate) batch: String,
    pub(crate) sequence: String,
    pub(crate) created: String,
    pub(crate) environment: String,
    pub(crate) columns: String,
    pub(crate) rows: Vec<String>,
    /// The trailer's count; the number of rows if unset.
    pub(crate) count: Option<String>,
    /// The trailer's digest; the right one if unset.
    pub(crate) digest: Option<String>,
}

impl CsvFile {
    /// An empty file of ACME's under a batch id.
    pub(crate) fn new(batch: &str) -> Self {
        Self {
            version: "1".into(),
            issuer: "ACME".into(),
            service: "payment-cards".into(),
            kind: "PAYCARDS",
            batch: batch.into(),
            sequence: "1".into(),
            created: "2026-11-20T01:30:00Z".into(),
            environment: "TEST".into(),
            columns: COLUMNS.into(),
            rows: Vec::new(),
            count: None,
            digest: None,
        }
    }

    /// An empty file of ACME's for another service, under a batch id.
    pub(crate) fn of(service: &str, columns: &str, batch: &str) -> Self {
        Self { service: service.into(), kind: kind(service), columns: columns.into(), ..Self::new(batch) }
    }

    /// A file of `count` good records, `r-1` onwards, whose PANs come from `seed`.
    pub(crate) fn good(batch: &str, seed: u64, count: u64) -> Self {
        let mut file = Self::new(batch);
        for (n, pan) in pan::pans(pan::ACME, seed, count).iter().enumerate() {
            file.register(&format!("r-{}", n + 1), pan, "EUR");
        }
        file
    }

    /// Adds a registration.
    pub(crate) fn register(&mut self, record_ref: &str, pan: &str, currency: &str) -> &mut Self {
        self.row(format!("{record_ref},,{pan},{currency},"))
    }

    /// Adds a deletion.
    pub(crate) fn delete(&mut self, record_ref: &str, payment_card_id: &str) -> &mut Self {
        self.row(format!("{record_ref},DELETE,,,{payment_card_id}"))
    }

    /// Adds a row as it stands.
    pub(crate) fn row(&mut self, row: impl Into<String>) -> &mut Self {
        self.rows.push(row.into());
        self
    }

    /// The same file with something changed.
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// The whole plaintext.
    pub(crate) fn text(&self) -> String {
        let mut text = self.untrailed();
        let digest = self.digest.clone().unwrap_or_else(|| sha256_hex(text.as_bytes()));
        let count = self.count.clone().unwrap_or_else(|| self.rows.len().to_string());
        writeln!(text, "TRL,{count},{digest}").unwrap();
        text
    }

    /// The plaintext up to its trailer.
    pub(crate) fn untrailed(&self) -> String {
        let Self { version, issuer, service, batch, sequence, created, environment, columns, .. } = self;
        let mut text =
            format!("HDR,{version},{issuer},{service},{batch},{sequence},{created},{environment}\n{columns}\n");
        for row in &self.rows {
            text.push_str(row);
            text.push('\n');
        }
        text
    }

    /// What its outbound files are called when no earlier file had its name.
    pub(crate) fn stem(&self) -> String {
        format!("{}_{}_{}", self.issuer, self.kind, self.batch)
    }

    /// Its name when sealed as JWE.
    pub(crate) fn name(&self) -> String {
        format!("{}.csv.jwe", self.stem())
    }
}

/// SHA-256 in lower-case hex.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    hex(&hash(MessageDigest::sha256(), bytes).unwrap())
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}
