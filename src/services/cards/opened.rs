//! What a sealed card holds: `{"pan":"…","exp":"MMYY"}`, read in place.
//!
//! Read by hand, since a parser's message may repeat what it read, and no copy may be made of it. Whatever is not just this is
//! not said apart: a card that was sealed wrongly is one that does not open.

/// The two texts of a card. They are judged like the fields `pan` and `expiry`.
#[derive(Clone, Copy)]
pub(super) struct Texts<'a> {
    pub(super) pan: &'a [u8],
    pub(super) expiry: &'a [u8],
}

/// Reads an object of both texts, in any order, and of nothing else. Neither has a reason to hold an escape.
pub(super) fn read(json: &[u8]) -> Option<Texts<'_>> {
    let mut rest = Rest(json);
    let (mut pan, mut expiry) = (None, None);
    rest.take(b'{')?;
    for last in [false, true] {
        let key = rest.text()?;
        rest.take(b':')?;
        let slot = match key {
            b"pan" => &mut pan,
            b"exp" => &mut expiry,
            _ => return None,
        };
        *slot = Some(rest.text()?);
        rest.take(if last { b'}' } else { b',' })?;
    }
    // Two members that leave neither slot empty are one of each.
    rest.is_over().then_some(Texts { pan: pan?, expiry: expiry? })
}

struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn skip(&mut self) {
        let blank = self.0.iter().take_while(|byte| b" \t\r\n".contains(byte)).count();
        self.0 = self.0.get(blank..).unwrap_or_default();
    }

    fn take(&mut self, wanted: u8) -> Option<()> {
        self.skip();
        self.0 = self.0.strip_prefix(&[wanted])?;
        Some(())
    }

    fn text(&mut self) -> Option<&'a [u8]> {
        self.take(b'"')?;
        let end = self.0.iter().position(|byte| *byte == b'"')?;
        let (text, rest) = self.0.split_at(end);
        if text.iter().any(|byte| *byte == b'\\' || *byte < b' ') || std::str::from_utf8(text).is_err() {
            return None;
        }
        self.0 = rest.get(1..)?;
        Some(text)
    }

    fn is_over(&mut self) -> bool {
        self.skip();
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_a_pan_and_an_expiry_and_nothing_else() {
        for good in [
            r#"{"pan":"2303770003322342","exp":"1230"}"#,
            " {\n\"exp\" : \"1230\"\t,\r\n\"pan\":\"2303770003322342\" } ",
        ] {
            let texts = read(good.as_bytes()).unwrap();
            assert_eq!((texts.pan, texts.expiry), (&b"2303770003322342"[..], &b"1230"[..]), "{good}");
        }
        for bad in [
            "",
            "{}",
            "[]",
            "null",
            r#"{"pan":"2303770003322342"}"#,
            r#"{"exp":"1230"}"#,
            r#"{"pan":2303770003322342,"exp":"1230"}"#,
            r#"{"pan":"2303770003322342","exp":"1230","cvv":"123"}"#,
            r#"{"pan":"2303770003322342","pan":"1230"}"#,
            r#"{"pan":"2303770003322342","exp":"1230",}"#,
            r#"{"pan":"2303770003322342","exp":"1230"} {}"#,
            r#"{"pan":"2303770003322342","exp":"1230""#,
            r#"{"pan":"2303770003322342","exp":"1230"#,
            r#"{"pan":"230377\u0030003322342","exp":"1230"}"#,
            "{\"pan\":\"23037700\n03322342\",\"exp\":\"1230\"}",
            r#"{pan:"2303770003322342","exp":"1230"}"#,
            r#"{"PAN":"2303770003322342","exp":"1230"}"#,
            r#"{"pan":"2303770003322342","cvv":"1230"}"#,
            r#"{"exp":"1230","exp":"1230"}"#,
        ] {
            assert!(read(bad.as_bytes()).is_none(), "{bad}");
        }
        assert!(read(b"{\"pan\":\"\xFF\",\"exp\":\"1230\"}").is_none());
    }
}
