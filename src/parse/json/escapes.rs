//! Takes the escapes out of a string of JSON. The library would do it in a buffer that is not wiped.

use memchr::memchr;

/// Appends the value of a string, given without its quotes, that is lexically one of JSON. `None` where an escape names
/// no character: half of a surrogate pair.
pub(super) fn unescape(mut text: &[u8], into: &mut Vec<u8>) -> Option<()> {
    while let Some(at) = memchr(b'\\', text) {
        into.extend_from_slice(&text[..at]);
        let (&sign, rest) = text[at + 1..].split_first()?;
        text = rest;
        let plain = match sign {
            b'"' | b'\\' | b'/' => sign,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let character = character(&mut text)?;
                into.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                continue;
            }
            _ => return None,
        };
        into.push(plain);
    }
    into.extend_from_slice(text);
    Some(())
}

/// What follows a backslash and a `u`: four hex digits, twice for what does not fit into them.
fn character(text: &mut &[u8]) -> Option<char> {
    let first = unit(text)?;
    if !(0xD800..0xDC00).contains(&first) {
        return char::from_u32(first);
    }
    *text = text.strip_prefix(b"\\u")?;
    let second = unit(text)?;
    (0xDC00..0xE000).contains(&second).then_some(())?;
    char::from_u32(0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00))
}

fn unit(text: &mut &[u8]) -> Option<u32> {
    let (digits, rest) = text.split_first_chunk::<4>()?;
    *text = rest;
    digits.iter().try_fold(0, |unit, digit| Some(unit << 4 | char::from(*digit).to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn own(text: &str) -> Option<Vec<u8>> {
        let mut value = Vec::new();
        unescape(text.as_bytes(), &mut value).map(|()| value)
    }

    fn library(text: &str) -> Option<Vec<u8>> {
        serde_json::from_str::<String>(&format!("\"{text}\"")).ok().map(String::into_bytes)
    }

    #[test]
    fn reads_pairs_and_refuses_halves() {
        for text in [
            r"\ud83d\ude00",
            r"\uD83D",
            r"\uDE00",
            r"\ud83d\u0041",
            r"\ud83dx",
            r"\ude00\ud83d",
            r"\u0000",
            r"\uFFFF",
            r"\u00e9",
            r"a\/b\b\f\n\r\t",
            r#"\\\""#,
            "",
            r"\x",
            r"\u12g4",
            r"\u12",
            "\\",
        ] {
            assert_eq!(own(text), library(text), "{text}");
        }
        assert_eq!(own(r"\ud83d\ude00").unwrap(), "😀".as_bytes());
    }

    proptest! {
        #[test]
        fn reads_as_the_library_does(text in r#"([a-f0-9é]|\\["\\/bfnrtux]|\\u[dD][89abcdef][0-9a-f]{2}|\\u[0-9a-f]{4}){0,8}"#) {
            prop_assert_eq!(own(&text), library(&text));
        }
    }
}
