//! `nightdrop explain`: what a code means, where it comes from, what to do, and whose move it is.

use std::io::{self, Write};

use serde::Serialize;

use crate::model::Code;
use crate::model::explain::{Explanation, explain as explanation, level_word};
use crate::services::{BUILT, Definition};

use super::ExitCode;

/// Codes shown in place of one that does not exist.
const NEAR_MAX: usize = 5;
/// How alike two words must be, from 0 to 1, for one to be shown in place of the other.
const ALIKE: f64 = 0.85;

#[derive(Serialize)]
struct Shown {
    code: &'static str,
    meaning: &'static str,
    cause: &'static str,
    remedy: &'static str,
    owner: &'static str,
    level: &'static str,
    recoverable: bool,
    api: Vec<Api>,
}

#[derive(Serialize)]
struct Api {
    service: &'static str,
    code: &'static str,
}

/// What the programs' own APIs say in its place, service by service.
fn api(code: Code) -> Vec<Api> {
    let words = |service: &'static Definition| {
        service.api.words_for(code).map(|word| Api { service: service.api.of, code: word })
    };
    BUILT.iter().copied().flat_map(words).collect()
}

pub(super) fn explain(code: &str, json: bool) -> ExitCode {
    let text = match answer(code, json) {
        Ok(text) => text,
        Err(words) => {
            eprintln!("nightdrop: {words}");
            return ExitCode::Usage;
        }
    };
    match print(&text) {
        Ok(()) => ExitCode::Ok,
        Err(error) => {
            eprintln!("nightdrop: the explanation could not be written: {error}");
            ExitCode::Failure
        }
    }
}

/// What goes to stdout or, where there is no such code, to stderr.
fn answer(code: &str, json: bool) -> Result<String, String> {
    let word = normal(code);
    match Code::from_word(&word) {
        Some(code) if json => Ok(as_json(code)),
        Some(code) => Ok(as_text(code)),
        None => Err(unknown(&word)),
    }
}

fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// The word as codes are written, whatever its case and whether dashes or blanks stand between its parts.
fn normal(code: &str) -> String {
    code.trim().to_ascii_uppercase().replace(['-', ' '], "_")
}

fn as_text(code: Code) -> String {
    let Explanation { meaning, cause, remedy, owner, level, recoverable } = explanation(code);
    let recoverable = if recoverable { "yes" } else { "no" };
    let mut text = format!(
        "{code}\n\n\
         meaning      {meaning}\n\
         cause        {cause}\n\
         remedy       {remedy}\n\
         owner        {}\n\
         level        {}\n\
         recoverable  {recoverable}\n",
        owner.as_str(),
        level_word(level)
    );
    let mut label = "API code";
    for Api { service, code } in api(code) {
        text.push_str(&format!("{label:<13}{service}: {code}\n"));
        label = "";
    }
    if !label.is_empty() {
        text.push_str(&format!("{label:<13}none\n"));
    }
    text
}

#[expect(clippy::expect_used, reason = "a struct of strings has no way to fail")]
fn as_json(code: Code) -> String {
    let Explanation { meaning, cause, remedy, owner, level, recoverable } = explanation(code);
    let shown = Shown {
        code: code.as_str(),
        meaning,
        cause,
        remedy,
        owner: owner.as_str(),
        level: level_word(level),
        recoverable,
        api: api(code),
    };
    let mut text = serde_json::to_string_pretty(&shown).expect("strings make JSON");
    text.push('\n');
    text
}

/// What to say of a word that is no code. It is not repeated: what was pasted may be something else than a code.
fn unknown(word: &str) -> String {
    let near = near(word);
    if near.is_empty() {
        let all: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        format!("there is no such code; the codes are: {}", all.join(", "))
    } else {
        format!("there is no such code; did you mean {}?", near.join(", "))
    }
}

/// The codes most like the word, the most alike first.
fn near(word: &str) -> Vec<&'static str> {
    let mut near: Vec<_> = Code::ALL
        .iter()
        .map(|code| {
            let code = code.as_str();
            let part = word.len() >= 3 && code.contains(word);
            (if part { 1.0 } else { strsim::jaro_winkler(code, word) }, code)
        })
        .filter(|(alike, _)| *alike >= ALIKE)
        .collect();
    near.sort_by(|one, other| other.0.total_cmp(&one.0));
    near.truncate(NEAR_MAX);
    near.into_iter().map(|(_, code)| code).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_case_and_dashes_name_a_code() {
        for word in ["PAN_LUHN", "pan_luhn", " Pan-Luhn\n", "pan luhn"] {
            assert_eq!(answer(word, false), Ok(as_text(Code::PanLuhn)), "{word}");
            assert_eq!(answer(word, true), Ok(as_json(Code::PanLuhn)), "{word}");
        }
    }

    #[test]
    fn near_codes_are_offered_and_the_word_is_not_repeated() {
        for (word, meant) in [
            ("PAN_LUN", "PAN_LUHN"),
            ("LUHN", "PAN_LUHN"),
            ("DUPLICATE", "DUPLICATE_FILE"),
            ("ALREADY_REGISTRED", "ALREADY_REGISTERED"),
            ("CURENCY_INVALID", "CURRENCY_INVALID"),
        ] {
            let near = near(word);
            assert!(near.contains(&meant) && near.len() <= NEAR_MAX, "{word}: {near:?}");
            assert!(unknown(word).contains(meant));
        }
        assert_eq!(near("PAN_LUN")[0], "PAN_LUHN");
        assert_eq!(explain("pan_lun", false), ExitCode::Usage);
        assert_eq!(answer("pan_lun", true), Err(unknown("PAN_LUN")));
        let nothing_near = unknown("2303770003322342");
        assert!(!nothing_near.contains("2303770003322342") && nothing_near.contains("FEED_UNKNOWN, "));
        assert!(near("").is_empty());
    }

    #[test]
    fn text_has_every_part_on_a_line_of_its_own() {
        for &code in Code::ALL {
            let text = as_text(code);
            for label in ["meaning", "cause", "remedy", "owner", "level", "recoverable", "API code"] {
                let lines: Vec<_> = text.lines().filter(|line| line.starts_with(&format!("{label:<13}"))).collect();
                assert!(matches!(lines[..], [line] if line.len() > 14), "{code} {label}: {lines:?}");
            }
        }
        assert!(
            as_text(Code::PanLuhn)
                .ends_with("API code     payment-cards: INVALID_FPAN\n             pan-lists: invalid.pan\n")
        );
        assert!(as_text(Code::FileEmpty).ends_with("API code     none\n"));
    }

    #[test]
    fn json_has_every_part() {
        let shown: serde_json::Value = serde_json::from_str(&as_json(Code::AlreadyRegistered)).unwrap();
        assert_eq!(shown["code"], "ALREADY_REGISTERED");
        assert_eq!((&shown["owner"], &shown["level"]), (&"sender".into(), &"record".into()));
        assert_eq!(shown["recoverable"], false);
        assert_eq!(shown["api"][0]["service"], "payment-cards");
        assert_eq!(shown["api"][0]["code"], "PAYMENT_CARD_ALREADY_EXISTS");
        for part in ["meaning", "cause", "remedy"] {
            assert!(shown[part].as_str().is_some_and(|text| text.ends_with('.')), "{part}");
        }
    }
}
