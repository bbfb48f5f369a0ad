//! Names of sensitive authentication data (PCI DSS 3.3.1): card verification codes, PINs, track data.
//!
//! They must be known before anything else is decided about a file, and even when something else is wrong with it: what
//! names them is not kept. So the names are read generously, in any case, style and punctuation.

use zeroize::Zeroizing;

/// Words that name such data wherever they stand in a name.
const WORDS: &[&str] = &[
    "csc",
    "cav",
    "cav2",
    "caav",
    "cvn",
    "cvn2",
    "cvd",
    "cvd2",
    "cid2",
    "pin",
    "pins",
    "pvv",
    "track",
    "tracks",
    "icvv",
    "dcvv",
    "magstripe",
];

/// Words that name it run together; compared with neighbouring words joined.
const JOINED: &[&str] = &[
    "cardverification",
    "cardverificationcode",
    "cardverificationvalue",
    "cardverificationnumber",
    "verificationvalue",
    "securitycode",
    "cardsecuritycode",
    "securityvalue",
    "cardsecurityvalue",
    "pinblock",
    "pincode",
    "pinnumber",
    "pinoffset",
    "pindata",
    "cardpin",
    "atmpin",
    "encryptedpin",
    "encryptedpinblock",
    "trackdata",
    "trackone",
    "tracktwo",
    "magneticstripe",
    "magneticstripedata",
    "magstripedata",
    "magstripe",
];

/// Whether a column's or key's name is that of a verification code, a PIN or track data.
pub(super) fn names_sensitive_data(name: &[u8]) -> bool {
    // A file of another delimiter than the feed's shows its columns as one name.
    name.split(|byte| matches!(byte, b',' | b';' | b'|' | b'\t')).any(one_name_is_sensitive)
}

fn one_name_is_sensitive(name: &[u8]) -> bool {
    let words = words(name);
    let words = || words.iter().map(String::as_str);
    words().any(|word| {
        WORDS.contains(&word)
            || word.contains("cvv")
            || word.contains("cvc")
            || word.strip_prefix("track").is_some_and(|rest| rest.starts_with(|next: char| next.is_ascii_digit()))
    }) || (0..words().count()).any(|first| {
        let mut joined = String::new();
        words().skip(first).any(|word| {
            joined.push_str(word);
            JOINED.contains(&joined.trim_end_matches(|last: char| last.is_ascii_digit()))
        })
    })
}

/// `cardCvv2`, `CARD_CVV2`, `Card-CVV2` and `PINBlock` as words in lower case.
fn words(name: &[u8]) -> Vec<String> {
    let mut words = vec![String::new()];
    for (at, &byte) in name.iter().enumerate() {
        let before = at.checked_sub(1).map_or(b' ', |before| name[before]);
        let after = name.get(at + 1).copied().unwrap_or(b' ');
        let begins = byte.is_ascii_uppercase()
            && (before.is_ascii_lowercase()
                || before.is_ascii_digit()
                || (before.is_ascii_uppercase() && after.is_ascii_lowercase()));
        if begins || !byte.is_ascii_alphanumeric() {
            words.push(String::new());
        }
        if let (true, Some(word)) = (byte.is_ascii_alphanumeric(), words.last_mut()) {
            word.push(char::from(byte.to_ascii_lowercase()));
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Bytes of a line that are looked at; more than the columns of any service.
const LINE_BYTES_MAX: usize = 16 << 10;
/// Lines that are looked at.
const LINES_MAX: u8 = 2;

/// Watches for a line of column names at the head of a text, whatever else is wrong with that text: its first two lines
/// that are not empty, less a control record. Reads UTF-16 and UTF-32 of ASCII by leaving out the NULs.
pub(super) struct Sniffer {
    line: Zeroizing<Vec<u8>>,
    lines: u8,
    found: bool,
}

impl Default for Sniffer {
    fn default() -> Self {
        // The second line may be a record: the buffer never grows, which would leave a copy behind.
        Self { line: Zeroizing::new(Vec::with_capacity(LINE_BYTES_MAX)), lines: 0, found: false }
    }
}

impl Sniffer {
    /// Looks at the next bytes of the text, as long as there is need to.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            match byte {
                _ if self.lines >= LINES_MAX => return,
                b'\n' | b'\r' => self.end_line(),
                0 => {}
                _ if self.line.len() < LINE_BYTES_MAX => self.line.push(byte),
                _ => {
                    self.end_line();
                    self.lines = LINES_MAX;
                }
            }
        }
    }

    /// Whether there is such a name, at the end of the text.
    pub(super) fn finish(&mut self) -> bool {
        self.end_line();
        self.found
    }

    fn end_line(&mut self) {
        if self.line.is_empty() {
            return;
        }
        self.lines = self.lines.saturating_add(1);
        let is_control = self.line.iter().filter(|byte| byte.is_ascii_alphanumeric()).take(3).eq(b"HDR");
        self.found = self.found || (!is_control && names_sensitive_data(&self.line));
        self.line.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_names_in_any_style() {
        for name in [
            "cvv",
            "CVV",
            "cvv2",
            "Cvv2",
            "card_cvv",
            "cardCvv2",
            "CVV2Code",
            "cvc",
            "CVC2",
            "cvc_2",
            "csc",
            "cav2",
            "cardVerificationValue",
            "card_verification_code",
            "card-verification",
            "CARDVERIFICATIONVALUE",
            "security_code",
            "securityCode",
            "SecurityCode2",
            "pin",
            "PIN",
            "card_pin",
            "pin_block",
            "PINBlock",
            "pinblock",
            "encrypted_pin_block",
            "track",
            "track1",
            "track_1",
            "track2",
            "TRACK2DATA",
            "track2_equivalent_data",
            "trackData",
            "\"cvv\"",
            " cvv ",
            "dynamicCVV",
            "userPin",
            "CustomerCSC",
            "icvv",
            "pan;cvv",
            "record_ref|pan|pin",
        ] {
            assert!(names_sensitive_data(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn leaves_honest_names_alone() {
        for name in [
            "",
            "pan",
            "PAN",
            "shipping",
            "shipping_address",
            "spin",
            "pinned",
            "pinCount".to_lowercase().as_str(),
            "tracking_number",
            "tracker",
            "record_ref",
            "action",
            "card_base_currency",
            "payment_card_id",
            "operation",
            "pan_list_id",
            "pan_list_name",
            "account_range_low",
            "account_range_high",
            "event_status",
            "card_id",
            "card_product_id",
            "consumer_id",
            "state",
            "card",
            "expiry",
            "card_contract_id",
            "status",
            "src_client_id",
            "service_id",
            "external_consumer_id",
            "email",
            "phone_country",
            "phone",
            "first_name",
            "last_name",
            "locale",
            "country",
            "cardholder_name",
            "address_line1",
            "address_line2",
            "address_line3",
            "city",
            "postal_code",
            "address_country",
            "privacy_version",
            "tnc_version",
            "accepted_at",
            "security_level",
            "abc_vcard",
            "docs_code",
        ] {
            assert!(!names_sensitive_data(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn sniffs_the_head_of_a_text_in_any_shape() {
        let sniff = |text: &[u8]| {
            let mut sniffer = Sniffer::default();
            text.chunks(3).for_each(|part| sniffer.push(part));
            sniffer.finish()
        };
        assert!(sniff(b"HDR,1,ACME\nrecord_ref,pan,cvv\nr-1,2303770003322342,123\n"));
        assert!(sniff(b"record_ref,pan,cvv"));
        assert!(sniff(b"\r\n\r\nrecord_ref;pan;cvv\r\n"));
        assert!(sniff(b"HDR,\"1,ACME\nrecord_ref,cvv\n"));
        assert!(sniff(b"p\0a\0n\0,\0p\0i\0n\0\n\0"));
        assert!(!sniff(b"HDR,1,ACME,cards,track,1\nrecord_ref,pan\nr-1,pin\n"));
        assert!(!sniff(b""));
    }
}
