//! The forms of what a consumer is reached by, each judged by a library that knows it.

use std::str::FromStr;

use email_address::EmailAddress;
use oxilangtag::LanguageTag;

/// An e-mail address (RFC 5322), of an address alone.
pub(super) fn is_email(text: &str) -> bool {
    text.len() <= 254 && EmailAddress::from_str(text).is_ok_and(|address| address.as_str() == address.email())
}

/// A telephone number of E.164: a calling code that is assigned, and as many digits as it may have.
pub(super) fn is_phone(country: &str, number: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(country) || !digits(number) || country.len() > 3 || country.len() + number.len() > 15 {
        return false;
    }
    // What the number reads as must be what was given: a code that is none is not taken for the beginning of another.
    phonenumber::parse(None, format!("+{country}{number}"))
        .is_ok_and(|parsed| parsed.code().value().to_string() == country)
}

/// The number behind a calling code by itself.
pub(super) fn is_subscriber_number(text: &str) -> bool {
    (1..=14).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A calling code by itself.
pub(super) fn is_calling_code(text: &str) -> bool {
    (1..=3).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0')
}

/// A language tag that is well-formed by BCP 47.
pub(super) fn is_locale(text: &str) -> bool {
    text.len() <= 64 && LanguageTag::parse(text).is_ok()
}

/// A country of ISO 3166-1, as two capital letters.
pub(super) fn is_country(text: &str) -> bool {
    text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase()) && rust_iso3166::from_alpha2(text).is_some()
}

/// What may be shown of an e-mail address: its first letter, and where it is delivered.
pub(super) fn masked_email(text: &str) -> String {
    let (name, domain) = text.rsplit_once('@').unwrap_or((text, ""));
    let first: String = name.chars().take(1).collect();
    format!("{first}***@{domain}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_forms() {
        for good in ["jane@example.com", "j.d+x@sub.example.co.uk", "ü@example.org"] {
            assert!(is_email(good), "{good}");
        }
        for bad in ["", "jane", "jane@", "@example.com", "jane@exa mple.com", "Jane <jane@example.com>", "a@b@c"] {
            assert!(!is_email(bad), "{bad}");
        }
        for good in [("43", "6641234567"), ("1", "2025550123"), ("44", "7400123456"), ("353", "851234567")] {
            assert!(is_phone(good.0, good.1), "{good:?}");
        }
        for bad in [
            ("43", ""),
            ("", "6641234567"),
            ("43", "66x"),
            ("999", "12345678"),
            ("43", "66412345678901234"),
            ("0043", "66412345"),
        ] {
            assert!(!is_phone(bad.0, bad.1), "{bad:?}");
        }
        for good in ["de-AT", "en", "zh-Hant-TW", "en_US".replace('_', "-").as_str(), "sr-Latn-RS", "x-whatever"] {
            assert!(is_locale(good), "{good}");
        }
        for bad in ["", "de_AT", "d", "de--AT", "german language", "de-AT-"] {
            assert!(!is_locale(bad), "{bad}");
        }
        assert!(is_country("AT") && is_country("GB"));
        for bad in ["", "at", "AUT", "XX", "UK", "A1"] {
            assert!(!is_country(bad), "{bad}");
        }
        assert_eq!(masked_email("jane@example.com"), "j***@example.com");
    }
}
