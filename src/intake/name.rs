//! What a name in an inbound directory says, and the order of names. Free of IO.

use std::cmp::Ordering;

/// Longest name taken in, in bytes: ids and suffixes are added to it and must still fit into a directory entry.
const NAME_BYTES_MAX: usize = 200;

/// Suffixes by which uploaders mark a file that is still being written.
const TEMPORARY: [&[u8]; 6] = [b".tmp", b".part", b".partial", b".filepart", b".prg", b".swp"];

/// The suffix of a done marker.
const MARKER: &str = ".done";

/// The suffix of an original on its way out; the name also begins with a dot.
const ASIDE: &str = ".nightdrop-removing";

/// What a directory entry's name says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name<'a> {
    /// May be an arrival.
    Arrival(&'a str),
    /// The done marker of the file with this name; never an arrival.
    Marker(&'a str),
    /// The file with this name, moved aside for its removal.
    Aside(&'a str),
    /// Still being written, or none of our business; nothing is said about it.
    Temporary,
    /// Nothing that we take; said once.
    Odd,
}

impl<'a> Name<'a> {
    /// Judges the bytes of a directory entry.
    pub(super) fn of(bytes: &'a [u8]) -> Self {
        if let Some(name) = bytes.strip_prefix(b".") {
            let stem = name.strip_suffix(ASIDE.as_bytes()).and_then(arrival);
            return stem.map_or(Self::Temporary, Self::Aside);
        }
        let ends = |suffix: &&[u8]| {
            bytes.len() >= suffix.len() && bytes[bytes.len() - suffix.len()..].eq_ignore_ascii_case(suffix)
        };
        if bytes.ends_with(b"~") || TEMPORARY.iter().any(ends) {
            return Self::Temporary;
        }
        match bytes.strip_suffix(MARKER.as_bytes()) {
            Some(stem) => arrival(stem).map_or(Self::Odd, Self::Marker),
            None => arrival(bytes).map_or(Self::Odd, Self::Arrival),
        }
    }
}

/// Whether a file of this name may arrive: 1 to 200 bytes of `[A-Za-z0-9._-]`, no dash or dot first, neither temporary
/// nor a marker.
pub fn is_arrival_name(name: &str) -> bool {
    matches!(Name::of(name.as_bytes()), Name::Arrival(_))
}

/// Why a file of this name is never taken; `None` for one that may arrive.
pub fn why_never(name: &[u8]) -> Option<&'static str> {
    match Name::of(name) {
        Name::Arrival(_) => None,
        Name::Temporary | Name::Aside(_) => Some("the name says that the file is still being written"),
        Name::Marker(_) => Some("the name is that of a done marker"),
        Name::Odd => Some("the name is not 1 to 200 of A-Z a-z 0-9 . _ - or begins with a dash"),
    }
}

/// Whether this is one plain path component that cannot lead elsewhere: what ids, days and names must be.
pub(super) fn is_component(name: &str) -> bool {
    arrival(name.as_bytes()).is_some() && !name.starts_with('.')
}

/// The name of a file's done marker.
pub fn marker_of(name: &str) -> String {
    format!("{name}{MARKER}")
}

/// The name of an original on its way out.
pub fn aside_of(name: &str) -> String {
    format!(".{name}{ASIDE}")
}

/// Orders names as people do: runs of digits by their number, all else by byte. Names that differ in leading zeros
/// alone are ordered by byte at the end, so the order is total.
pub fn compare_names(left: &str, right: &str) -> Ordering {
    let (mut a, mut b) = (left.as_bytes(), right.as_bytes());
    while let (Some(&x), Some(&y)) = (a.first(), b.first()) {
        let order = if x.is_ascii_digit() && y.is_ascii_digit() {
            let (m, n) = (take_number(&mut a), take_number(&mut b));
            m.len().cmp(&n.len()).then_with(|| m.cmp(n))
        } else {
            (a, b) = (&a[1..], &b[1..]);
            x.cmp(&y)
        };
        if order.is_ne() {
            return order;
        }
    }
    a.len().min(1).cmp(&b.len().min(1)).then_with(|| left.cmp(right))
}

/// Cuts the run of digits off the front and returns it without its leading zeros.
fn take_number<'a>(rest: &mut &'a [u8]) -> &'a [u8] {
    let end = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
    let (run, after) = rest.split_at(end);
    *rest = after;
    &run[run.iter().position(|&byte| byte != b'0').unwrap_or(run.len())..]
}

/// The bytes as text if a file of this name could be taken, whatever its ending.
fn arrival(bytes: &[u8]) -> Option<&str> {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let good = (1..=NAME_BYTES_MAX).contains(&bytes.len()) && bytes[0] != b'-' && bytes.iter().all(allowed);
    good.then(|| std::str::from_utf8(bytes).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn says_why_a_name_is_never_taken() {
        assert_eq!(why_never(b"A_1.csv.jwe"), None);
        for (name, word) in [
            ("a.part", "still being written"),
            (".a", "still being written"),
            ("a.done", "marker"),
            ("-a", "dash"),
            ("a b", "A-Z"),
        ] {
            assert!(why_never(name.as_bytes()).is_some_and(|why| why.contains(word)), "{name}");
        }
    }

    #[test]
    fn temporary_names_say_nothing() {
        for name in [
            ".hidden",
            ".",
            "..",
            ".done",
            "a.csv~",
            "a.tmp",
            "a.TMP",
            "a.Part",
            "a.partial",
            "a.filePart",
            "a.prg",
            "a.swp",
            ".part",
            "odd name.part",
            ".a.csv.swp",
        ] {
            assert_eq!(Name::of(name.as_bytes()), Name::Temporary, "{name}");
        }
    }

    #[test]
    fn names_are_judged_by_their_bytes() {
        let long = "x".repeat(200);
        for name in ["a", "A_1-2.csv.jwe", "9", "part", "a.tmp.csv", "done", "a.DONE", &long] {
            assert_eq!(Name::of(name.as_bytes()), Name::Arrival(name));
            assert!(is_arrival_name(name));
        }
        let longer = "x".repeat(201);
        for name in ["-a", "a b", "a\nb", "ä", "a/b", "a+b", "-a.done", &longer] {
            assert_eq!(Name::of(name.as_bytes()), Name::Odd, "{name}");
            assert!(!is_arrival_name(name));
        }
        assert_eq!(Name::of(b"a\xffb"), Name::Odd);
        assert_eq!(Name::of(b"a.csv.done"), Name::Marker("a.csv"));
        assert_eq!(Name::of(marker_of(&long).as_bytes()), Name::Marker(long.as_str()));
        assert_eq!(Name::of(aside_of(&long).as_bytes()), Name::Aside(long.as_str()));
        assert_eq!(Name::of(b"..nightdrop-removing"), Name::Temporary);
        assert!(aside_of(&long).len() <= 255, "a longest name must still fit when moved aside");
    }

    #[test]
    fn components_cannot_lead_elsewhere() {
        for name in ["00000001", "2026-11-20", "A.csv", "a.done"] {
            assert!(is_component(name), "{name}");
        }
        for name in ["", ".", "..", "../a", "a/b", "/a", "-a", ".a", "a\0"] {
            assert!(!is_component(name), "{name}");
        }
    }

    #[test]
    fn digits_are_compared_as_numbers() {
        let mut names = vec![
            "A_10.csv",
            "A_9.csv",
            "A_010.csv",
            "A_1",
            "A",
            "B_1",
            "A_99999999999999999999999999999999999999999",
            "A_100000000000000000000000000000000000000000",
            "A_.csv",
            "A_1_2",
            "A_1_10",
            "a_1",
            "A_0",
            "A_00",
            "A_a",
        ];
        names.sort_by(|a, b| compare_names(a, b));
        assert_eq!(
            names,
            [
                "A",
                "A_.csv",
                "A_0",
                "A_00",
                "A_1",
                "A_1_2",
                "A_1_10",
                "A_9.csv",
                "A_010.csv",
                "A_10.csv",
                "A_99999999999999999999999999999999999999999",
                "A_100000000000000000000000000000000000000000",
                "A_a",
                "B_1",
                "a_1",
            ]
        );
    }

    proptest! {
        #[test]
        fn the_order_is_total(a in "[0-2aA._-]{0,6}", b in "[0-2aA._-]{0,6}", c in "[0-2aA._-]{0,6}") {
            prop_assert_eq!(compare_names(&a, &b), compare_names(&b, &a).reverse());
            prop_assert_eq!(compare_names(&a, &b).is_eq(), a == b);
            let mut sorted = [&a, &b, &c];
            sorted.sort_by(|x, y| compare_names(x, y));
            prop_assert!(compare_names(sorted[0], sorted[1]).is_le());
            prop_assert!(compare_names(sorted[1], sorted[2]).is_le());
            prop_assert!(compare_names(sorted[0], sorted[2]).is_le(), "not transitive: {:?}", sorted);
        }

        #[test]
        fn numbers_decide_between_equal_texts(m: u64, n: u64, zeros in 0_usize..4, before in "[a-z._-]{0,4}") {
            let left = format!("{before}{}{m}.csv", "0".repeat(zeros));
            let right = format!("{before}{n}.csv");
            if m != n {
                prop_assert_eq!(compare_names(&left, &right), m.cmp(&n));
            }
        }

        #[test]
        fn no_bytes_make_it_panic_or_let_a_separator_through(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            if let Name::Arrival(name) | Name::Marker(name) | Name::Aside(name) = Name::of(&bytes) {
                prop_assert!(!name.contains('/') && !name.contains('\0') && name.len() <= 200);
            }
        }
    }
}
