//! What control records must say: a header that agrees with its feed, a trailer that agrees with the file.

use crate::model::{Code, Header, Refusal, Timestamp};

use super::Options;

/// The cells of a header record, as received.
#[derive(Clone, Copy, Debug)]
pub(super) struct HeaderCells<'a> {
    pub(super) version: &'a [u8],
    pub(super) issuer: &'a [u8],
    pub(super) service: &'a [u8],
    pub(super) batch_id: &'a [u8],
    pub(super) sequence: &'a [u8],
    pub(super) created: &'a [u8],
    pub(super) environment: &'a [u8],
}

/// The contract's version as written in control records.
const VERSION: &[u8] = b"1";

/// Refuses every version but ours: nothing more can be said of the fields of another.
pub(super) fn check_version(version: &[u8]) -> Result<(), Refusal> {
    if version == VERSION {
        return Ok(());
    }
    Err(Refusal::new(Code::VersionUnsupported, "The header names another version of the contract; expected is 1."))
}

/// Checks a header's fields, then whether it agrees with its feed.
pub(super) fn header(cells: HeaderCells<'_>, options: &Options) -> Result<Header, Refusal> {
    check_version(cells.version)?;
    let malformed = |what| Err(Refusal::new(Code::FormatInvalid, what));
    let Some(batch_id) = text(cells.batch_id, 1..=48, |byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
    else {
        return malformed("The header's batch id is malformed; expected are 1 to 48 letters, digits, _ or -.");
    };
    let Some(sequence_text) = text(cells.sequence, 0..=18, |byte| byte.is_ascii_digit()) else {
        return malformed("The header's sequence is malformed; expected are at most 18 digits.");
    };
    let Some((created_text, created)) = created(cells.created) else {
        return malformed(
            "The header's time of creation is malformed; expected is RFC 3339, as in 2026-11-20T01:30:00Z.",
        );
    };
    for (what, found, expected) in [
        ("issuer", cells.issuer, options.issuer.as_str()),
        ("service", cells.service, options.service.as_str()),
        ("environment", cells.environment, options.environment.as_str()),
    ] {
        if found != expected.as_bytes() {
            let description = format!("The header's {what} is not that of the feed; expected is {expected}.");
            return Err(Refusal::new(Code::HeaderMismatch, description));
        }
    }
    Ok(Header { batch_id, sequence_text, created_text, created })
}

fn text(cell: &[u8], lengths: std::ops::RangeInclusive<usize>, allowed: impl Fn(u8) -> bool) -> Option<String> {
    let fits = lengths.contains(&cell.len()) && cell.iter().copied().all(allowed);
    fits.then(|| cell.iter().copied().map(char::from).collect())
}

/// RFC 3339 alone: the time library reads more shapes than that, and the text is written back as it came. Whether the
/// numbers are those of a time is for the library to say.
fn created(cell: &[u8]) -> Option<(String, Timestamp)> {
    let shape = |shape: &[u8], cell: &[u8]| {
        cell.len() == shape.len()
            && cell.iter().zip(shape).all(|(&found, &expected)| match expected {
                b'0' => found.is_ascii_digit(),
                _ => found.eq_ignore_ascii_case(&expected),
            })
    };
    let (seconds, rest) = cell.split_at_checked(b"0000-00-00T00:00:00".len())?;
    let fraction = rest.strip_prefix(b".").map(|rest| rest.iter().take_while(|byte| byte.is_ascii_digit()).count());
    let zone = &rest[fraction.map_or(0, |digits| digits + 1)..];
    let is_rfc3339 = shape(b"0000-00-00T00:00:00", seconds)
        && (shape(b"Z", zone) || shape(b"+00:00", zone) || shape(b"-00:00", zone));
    let text = std::str::from_utf8(cell).ok().filter(|_| is_rfc3339)?;
    Some((text.to_owned(), Timestamp::parse(text)?))
}

/// What a trailer says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trailer {
    /// Where it stands.
    pub(super) line: u64,
    /// Records it counts.
    pub(super) records: u64,
    /// Every byte before it, hashed; `None` where the sender leaves it empty.
    pub(super) digest: Option<[u8; 32]>,
    /// Its count stands last on a line that does not end: more digits may be to come.
    pub(super) open: bool,
}

impl Trailer {
    /// Checks the count, then the digest against those that would be right.
    pub(super) fn check(&self, records: u64, digests: &[[u8; 32]]) -> Result<(), Refusal> {
        if self.records != records {
            let than = if self.records > records { "more" } else { "fewer" };
            let description = format!("The trailer counts {than} records than the {records} that were read.");
            let refusal = Refusal::new(Code::CountMismatch, description).at(self.line);
            return Err(if self.open { refusal.early() } else { refusal });
        }
        if self.digest.is_some_and(|digest| !digests.contains(&digest)) {
            let description = "The trailer's digest is not the SHA-256 of the bytes before it.";
            return Err(Refusal::new(Code::DigestMismatch, description).at(self.line));
        }
        Ok(())
    }
}

/// A count as written in a trailer.
pub(super) fn count(cell: &[u8]) -> Option<u64> {
    text(cell, 1..=18, |byte| byte.is_ascii_digit())?.parse().ok()
}

/// A SHA-256 in hex of any case.
pub(super) fn digest(cell: &[u8]) -> Option<[u8; 32]> {
    let nibble = |byte: u8| char::from(byte).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let mut digest = [0; 32];
    let (pairs, rest) = cell.as_chunks::<2>();
    if pairs.len() != digest.len() || !rest.is_empty() {
        return None;
    }
    for (byte, &[high, low]) in digest.iter_mut().zip(pairs) {
        *byte = nibble(high)? << 4 | nibble(low)?;
    }
    Some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_rfc_3339_and_nothing_near_it() {
        for text in ["2026-11-20T01:30:00Z", "2026-11-20t01:30:00.123456789z", "2026-11-20T01:30:00.5+05:30"] {
            assert_eq!(created(text.as_bytes()), Some((text.to_owned(), Timestamp::parse(text).unwrap())), "{text}");
        }
        for text in [
            "",
            "2026-11-20",
            "2026-11-20T01:30:00",
            "2026-11-20 01:30:00Z",
            "2026-11-20T01:30Z",
            "20261120T013000Z",
            "2026-13-20T01:30:00Z",
            "2026-02-30T01:30:00Z",
            "2026-11-20T25:30:00Z",
            "2026-11-20T01:30:00.Z",
            "2026-11-20T01:30:00.1234567890Z",
            "2026-11-20T01:30:00Z[UTC]",
            "2026-11-20T01:30:00+01",
            "1969-01-01T00:00:00Z",
            "2026-11-20T01:30:00Z ",
            "２026-11-20T01:30:00Z",
        ] {
            assert_eq!(created(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn reads_digests_in_any_case() {
        let text = "9F".repeat(31) + "0a";
        let mut expected = [0x9f; 32];
        expected[31] = 0x0a;
        assert_eq!(digest(text.as_bytes()), Some(expected));
        assert_eq!(digest(&text.as_bytes()[1..]), None);
        assert_eq!(digest(text.replace('a', "g").as_bytes()), None);
        assert_eq!(digest(&[text.as_bytes(), b"0"].concat()), None);
    }
}
