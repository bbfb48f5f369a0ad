//! The demo's files: good ones, bad records, and the mistakes that senders make.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::model::{Timestamp, hex};
use crate::open::{Recipient, Sealer};
use crate::services::luhn;

/// A batch's parts before they are put together.
struct Batch<'a> {
    id: String,
    sequence: u32,
    created: &'a str,
    rows: String,
    records: u64,
}

impl Batch<'_> {
    fn text(&self) -> String {
        let mut text = format!(
            "HDR,1,ACME,payment-cards,{},{},{},TEST\nrecord_ref,action,pan,card_base_currency,payment_card_id\n{}",
            self.id, self.sequence, self.created, self.rows
        );
        let digest = hex(&Sha256::digest(text.as_bytes()));
        let _ = writeln!(text, "TRL,{},{digest}", self.records);
        text
    }
}

/// Seals the files and drops them; gives back their names, and what each shows.
pub(super) fn drop_all(
    inbound: &Path,
    to: &Recipient,
    now: Timestamp,
    records: u64,
) -> anyhow::Result<Vec<(String, &'static str)>> {
    let created = now.to_string();
    let day = now.day().replace('-', "");
    let batch = |sequence: u32, rows: String, records: u64| Batch {
        id: format!("B{day}"),
        sequence,
        created: &created,
        rows,
        records,
    };
    let name = |part: &str| format!("ACME_PAYCARDS_{day}_{part}.csv.jwe");

    let good = batch(1, good_rows(records), records).text();
    let (rows, count) = bad_rows();
    let mixed = batch(2, rows, count).text();
    let nil = batch(3, String::new(), 0).text();
    let whole = batch(4, good_rows(50), 50).text();
    let cut = &whole[..whole.rfind("TRL").unwrap_or(whole.len()) - 20];
    let with_code = batch(5, String::new(), 0).text().replacen("record_ref,", "cvv2,record_ref,", 1);

    let sealed = |text: &str| -> anyhow::Result<Vec<u8>> {
        let mut sealer = Sealer::new(to, Vec::new())?;
        sealer.write_all(text.as_bytes())?;
        Ok(sealer.finish()?)
    };
    let mut damaged = sealed(&whole)?;
    let middle = damaged.len() / 2;
    damaged[middle] = if damaged[middle] == b'A' { b'B' } else { b'A' };
    let files = [
        (name("1"), sealed(&good)?, "good records"),
        (name("2"), sealed(&mixed)?, "a record of each mistake, between good ones"),
        (name("3"), sealed(&nil)?, "a nil file: nothing to report tonight"),
        (name("4_cut"), sealed(cut)?, "cut off before its trailer"),
        (name("5_damaged"), damaged, "one character of the sealed file changed"),
        (name("6_cvv"), sealed(&with_code)?, "a column that must never be sent"),
        (name("7_again"), sealed(&good)?, "the first file again, sealed anew"),
    ];
    let mut dropped = Vec::new();
    for (name, bytes, what) in files {
        // As an uploader should: under a temporary name, then renamed.
        let temporary = inbound.join(format!(".{name}.tmp"));
        std::fs::write(&temporary, bytes)?;
        std::fs::rename(&temporary, inbound.join(&name))?;
        dropped.push((name, what));
    }
    Ok(dropped)
}

/// The n-th synthetic card number of the demo's range, check digit and all.
fn pan(n: u64) -> String {
    // An odd multiplier walks the nine digits without meeting one twice, in no obvious order.
    let body = format!("230377{:09}", (n * 7_654_321 + 332_234) % 1_000_000_000);
    (b'0'..=b'9')
        .map(|digit| format!("{body}{}", char::from(digit)))
        .find(|candidate| luhn(candidate.as_bytes()))
        .unwrap_or(body)
}

fn good_rows(records: u64) -> String {
    let mut rows = String::new();
    for n in 0..records {
        let _ = writeln!(rows, "r-{},REGISTER,{},{},", n + 1, pan(n), if n % 3 == 0 { "USD" } else { "EUR" });
    }
    rows
}

/// A record of each mistake that payment-cards knows, with good ones between them.
fn bad_rows() -> (String, u64) {
    let fresh = |n: u64| pan(900_000_000 + n);
    let wrong_check_digit = {
        let good = fresh(1);
        let last = good.as_bytes()[15] - b'0';
        format!("{}{}", &good[..15], (last + 1) % 10)
    };
    let rows = [
        format!("good-1,REGISTER,{},EUR,", fresh(2)),
        format!(",REGISTER,{},EUR,", fresh(3)),
        format!("-dash,REGISTER,{},EUR,", fresh(3)),
        "no-pan,REGISTER,,EUR,".to_owned(),
        "excel,REGISTER,5.23E+15,EUR,".to_owned(),
        format!("spaces,REGISTER,{} {},EUR,", &fresh(4)[..8], &fresh(4)[8..]),
        format!("short,REGISTER,{},EUR,", &fresh(5)[..15]),
        format!("luhn,REGISTER,{wrong_check_digit},EUR,"),
        "foreign-bin,REGISTER,4111111111111111,EUR,".to_owned(),
        format!("no-currency,REGISTER,{},,", fresh(6)),
        format!("old-currency,REGISTER,{},DEM,", fresh(6)),
        format!("other-currency,REGISTER,{},JPY,", fresh(6)),
        format!("twice,REGISTER,{},EUR,", fresh(2)),
        format!("seen-before,REGISTER,{},EUR,", pan(0)),
        "unknown-card,DELETE,,,018f3c5e-7b1a-8000-8000-000000000000".to_owned(),
        format!("two-mistakes,REGISTER,{wrong_check_digit},XXQ,"),
        format!("good-2,,{},usd,", fresh(7)),
    ];
    (rows.iter().fold(String::new(), |all, row| all + row + "\n"), rows.len() as u64)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn makes_different_valid_numbers_in_its_range() {
        let pans: HashSet<String> = (0..20_000).map(pan).collect();
        assert_eq!(pans.len(), 20_000);
        assert!(pans.iter().all(|pan| pan.len() == 16 && luhn(pan.as_bytes()) && pan.starts_with("230377")));
    }
}
