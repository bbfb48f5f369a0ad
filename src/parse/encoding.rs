//! The outermost layer of a text: takes off a byte order mark, knows UTF-16 and UTF-32 by sight, validates UTF-8.

/// What the first bytes of a text give away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opening {
    /// UTF-8, as far as can be seen, without a mark.
    Plain,
    /// UTF-8 with a byte order mark.
    Marked,
    /// Another encoding, by name.
    Foreign(&'static str),
}

/// The bytes that [`Opening::of`] needs to see, unless the text has fewer.
pub(super) const OPENING_BYTES: usize = 4;

/// A UTF-8 byte order mark.
pub(super) const MARK: &[u8] = b"\xEF\xBB\xBF";

impl Opening {
    /// Looks at the first [`OPENING_BYTES`] of a text. Text of ASCII letters in UTF-16 or UTF-32 is valid UTF-8 full of
    /// NULs, so the pattern of the NULs must tell where no mark does.
    pub(super) fn of(first: &[u8]) -> Self {
        match *first {
            [0xFF, 0xFE, 0, 0, ..] | [0, 0, 0xFE, 0xFF, ..] => Self::Foreign("UTF-32"),
            [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => Self::Foreign("UTF-16"),
            [0xEF, 0xBB, 0xBF, ..] => Self::Marked,
            [a, 0, 0, 0, ..] | [0, 0, 0, a, ..] if a != 0 => Self::Foreign("UTF-32"),
            [a, 0, b, 0, ..] | [0, a, 0, b, ..] if a != 0 && b != 0 => Self::Foreign("UTF-16"),
            _ => Self::Plain,
        }
    }
}

/// UTF-8, validated as it comes, however it is split.
#[derive(Debug, Default)]
pub(super) struct Utf8 {
    /// The beginning of a code point that the bytes so far leave open.
    open: [u8; 4],
    open_bytes: usize,
}

impl Utf8 {
    /// Where in `bytes` the text stops being UTF-8. A code point that began earlier and turns out wrong stops it at 0.
    pub(super) fn push(&mut self, mut bytes: &[u8]) -> Result<(), usize> {
        let mut taken = 0;
        while self.open_bytes > 0 {
            let Some((&next, rest)) = bytes.split_first() else { return Ok(()) };
            self.open[self.open_bytes] = next;
            self.open_bytes += 1;
            match std::str::from_utf8(&self.open[..self.open_bytes]) {
                Ok(_) => self.open_bytes = 0,
                // Four bytes always decide, so `open` never overflows.
                Err(error) if error.error_len().is_none() => {}
                Err(_) => return Err(taken),
            }
            bytes = rest;
            taken += 1;
        }
        let Err(error) = std::str::from_utf8(bytes) else { return Ok(()) };
        let valid = error.valid_up_to();
        if error.error_len().is_some() {
            return Err(taken + valid);
        }
        let tail = &bytes[valid..];
        self.open[..tail.len()].copy_from_slice(tail);
        self.open_bytes = tail.len();
        Ok(())
    }

    /// Whether the text stops within a code point.
    pub(super) const fn is_open(&self) -> bool {
        self.open_bytes > 0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn knows_encodings_by_sight() {
        for (first, opening) in [
            (&b"HDR,"[..], Opening::Plain),
            (b"", Opening::Plain),
            (b"H", Opening::Plain),
            (b"\xEF\xBB\xBFH", Opening::Marked),
            (b"\xFF\xFEH\0", Opening::Foreign("UTF-16")),
            (b"\xFE\xFF\0H", Opening::Foreign("UTF-16")),
            (b"H\0D\0", Opening::Foreign("UTF-16")),
            (b"\0H\0D", Opening::Foreign("UTF-16")),
            (b"\xFF\xFE\0\0", Opening::Foreign("UTF-32")),
            (b"H\0\0\0", Opening::Foreign("UTF-32")),
            (b"\0\0\0H", Opening::Foreign("UTF-32")),
            (b"H\0DR", Opening::Plain),
        ] {
            assert_eq!(Opening::of(first), opening, "{first:?}");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_standard_library_however_it_is_split(
            text in prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..12),
                "\\PC{0,12}".prop_map(String::into_bytes),
                ("\\PC{0,6}", proptest::collection::vec(any::<u8>(), 0..3))
                    .prop_map(|(text, tail)| [text.as_bytes(), &tail].concat()),
            ],
            sizes in proptest::collection::vec(1_usize..4, 40),
        ) {
            let mut utf8 = Utf8::default();
            let mut at = 0;
            let mut failed = false;
            for size in sizes {
                let end = (at + size).min(text.len());
                failed = failed || utf8.push(&text[at..end]).is_err();
                at = end;
            }
            prop_assert_eq!(at, text.len());
            prop_assert_eq!(!failed && !utf8.is_open(), std::str::from_utf8(&text).is_ok());
        }
    }
}
