use super::*;
use crate::model::{Field, ServiceName};

/// Every text of a code that someone reads.
fn texts(code: Code) -> [&'static str; 3] {
    let Explanation { meaning, cause, remedy, .. } = explain(code);
    [meaning, cause, remedy]
}

/// The complaints about a text, which must be one line of whole sentences that show no card number and fit a table's cell.
fn faults(text: &str) -> Vec<&'static str> {
    let longest_number = text.split(|letter: char| !letter.is_ascii_digit()).map(str::len).max().unwrap_or(0);
    [
        ("is empty or has blanks around it", text.is_empty() || text.trim() != text),
        ("does not end with a period", !text.ends_with('.') || text.ends_with("..")),
        ("does not begin with a capital letter", !text.starts_with(|first: char| first.is_ascii_uppercase())),
        ("has a run of digits as long as a card number", longest_number >= 13),
        ("breaks a line or a cell of a table", text.contains(['\n', '|']) || text.contains("  ")),
        ("shows how the code is built", text.contains("None") || text.contains("Some(") || text.contains(['{', '}'])),
    ]
    .into_iter()
    .filter_map(|(fault, found)| found.then_some(fault))
    .collect()
}

#[test]
fn faults_are_found() {
    assert_eq!(faults("The field pan is empty."), [""; 0]);
    for text in
        ["", "no capital.", "No period", "Two  blanks.", "A | cell.", "The field None.", "See 2303770003322342."]
    {
        assert!(!faults(text).is_empty(), "{text}");
    }
}

#[test]
fn every_code_has_all_its_parts() {
    for &code in Code::ALL {
        for text in texts(code) {
            assert_eq!(faults(text), [""; 0], "{code}: {text}");
        }
        assert_eq!((remedy(code), owner(code)), (explain(code).remedy, explain(code).owner.as_str()));
    }
}

#[test]
fn no_two_codes_mean_the_same() {
    let mut meanings: Vec<_> = Code::ALL.iter().map(|&code| explain(code).meaning).collect();
    meanings.sort_unstable();
    meanings.dedup();
    assert_eq!(meanings.len(), Code::ALL.len());
}

#[test]
fn what_cannot_be_mended_says_so() {
    let hopeless: Vec<_> = Code::ALL.iter().copied().filter(|&code| !explain(code).recoverable).collect();
    assert_eq!(
        hopeless,
        [
            Code::DuplicateFile,
            Code::DuplicateInFile,
            Code::AlreadyRegistered,
            Code::PanRetired,
            Code::NotRegistered,
            Code::AlreadyInList,
            Code::NotInList,
            Code::EventIgnored,
            Code::AlreadyEnrolled
        ]
    );
    for code in hopeless.into_iter().filter(|&code| code != Code::PanRetired) {
        assert!(remedy(code).starts_with("Do nothing"), "{code}");
    }
}

const FIELDS: &[&str] = &[
    "record_ref",
    "action",
    "pan",
    "card_base_currency",
    "payment_card_id",
    "operation",
    "pan_list_id",
    "card_id",
    "card",
    "expiry",
    "email",
    "a_field_of_tomorrow",
];

const PAN: Field =
    Field { name: "pan", expected: "a PAN of 11 to 19 digits", allowed: "an empty one with the action DELETE" };

#[test]
fn every_description_is_one_sentence_and_names_its_field() {
    for &code in Code::ALL {
        for service in ServiceName::ALL {
            let fields = FIELDS.iter().map(|&name| Some(Field { name, expected: "", allowed: "" }));
            for field in fields.chain([None, Some(PAN)]) {
                let text = describe(code, service, field);
                assert_eq!(faults(&text), [""; 0], "{code} {service} {field:?}: {text}");
                assert!(!text.contains(". T"), "more than a sentence: {text}");
                if let Some(field) = field.filter(|_| code != Code::RequestSize) {
                    assert!(text.contains(field.name), "{code} {service} {field:?}: {text}");
                } else {
                    assert!(!text.contains("field  ") && !text.contains("field is"), "{text}");
                }
            }
        }
    }
}

#[test]
fn readme_shows_the_table() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let shown = readme
        .split_once("<!-- codes -->\n")
        .and_then(|(_, rest)| rest.split_once("<!-- /codes -->"))
        .map(|(shown, _)| shown.trim_matches('\n'));
    let table = markdown_table();
    assert!(
        shown == Some(table.trim_matches('\n')),
        "between the lines <!-- codes --> and <!-- /codes --> README.md must have:\n\n{table}"
    );
}
