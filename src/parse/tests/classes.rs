//! Which failure a file is refused for, and where.

use super::*;

const R1: &str = "r-1,2303770003322342,EUR\n";

/// Checks `text` against a code, a line and whether it ends early.
#[track_caller]
fn refused(text: impl AsRef<[u8]>, options: Options, code: Code, line: u64, early: bool) {
    let text = text.as_ref();
    let found = verdict(survey(text, options));
    assert_eq!(found, Err((code, Some(line), early, false)), "{}", String::from_utf8_lossy(text));
}

#[test]
fn takes_good_files() {
    let before = format!("{HDR}{COLS}{R1}");
    let digest = hex(before.as_bytes());
    for (text, options, records) in [
        (whole(R1), required(), 1),
        (whole(""), required(), 0),
        (with_trailer(&before.replace('\n', "\r\n"), 1), required(), 1),
        (whole(R1).trim_end().to_owned(), required(), 1),
        (whole(R1).trim_end().to_owned() + "\r", required(), 1),
        (whole(R1) + "\n\r\n\n", required(), 1),
        (with_trailer(&before, 1).replace(&digest, &digest.to_uppercase()), required(), 1),
        (format!("{HDR}{COLS}{R1}TRL,1"), required(), 1),
        (format!("{HDR}{COLS}{R1}TRL,1,"), required(), 1),
        (format!("{HDR}{COLS}{R1}\"TRL\",\"1\",\"\"\n"), required(), 1),
        (format!("{HDR}{COLS}TRL,0\n"), required(), 0),
        (format!("{HDR}TRL,0\n"), required(), 0),
        (format!("\"{}\"\n{COLS}TRL,0\n", HDR.trim().replace(',', "\",\"")), required(), 0),
        (format!("{}{COLS}TRL,0\n", HDR.replace(",1,2026", ",,2026")), required(), 0),
        (format!("{COLS}{R1}"), optional(), 1),
        (format!("{COLS}{R1}\n\n"), optional(), 1),
        (COLS.trim_end().to_owned(), optional(), 0),
        (format!("{COLS}{R1}TRL,1\n"), optional(), 1),
        (format!("{HDR}{COLS}{}", R1.trim_end()), optional(), 1),
        ("pan,record_ref\n,\n".to_owned(), optional(), 1),
    ] {
        assert_eq!(verdict(survey(&text, options)), Ok(records), "{text}");
    }
}

#[test]
fn reads_the_header() {
    let header = survey(whole(R1), required()).unwrap().header.unwrap();
    assert_eq!((header.batch_id.as_str(), header.sequence()), ("20261120", Some(1)));
    assert_eq!((header.sequence_text.as_str(), header.created_text.as_str()), ("1", "2026-11-20T01:30:00Z"));
    assert_eq!(header.created.to_string(), "2026-11-20T01:30:00.000Z");
    assert_eq!(survey(format!("{COLS}{R1}"), optional()).unwrap().header, None);
}

#[test]
fn follows_the_feeds_delimiter() {
    let text = format!("{HDR}{COLS}r-1,\"x,y\",EUR\nTRL,1\n").replace(',', ";").replace("x;y", "x,y;z");
    let options = Options { delimiter: b';', ..required() };
    assert_eq!(verdict(survey(&text, options)), Ok(1));
    refused(&text, required(), Code::HeaderMissing, 1, false);
}

#[test]
fn refuses_an_empty_file() {
    assert_eq!(verdict(survey("", required())), Err((Code::FileEmpty, None, true, false)));
    assert_eq!(verdict(survey("", optional())), Err((Code::FileEmpty, None, true, false)));
    refused("\n", required(), Code::HeaderMissing, 1, false);
    refused("\n\n\n", optional(), Code::ColumnMissing, 1, false);
    refused("\u{feff}", required(), Code::HeaderMissing, 1, true);
}

#[test]
fn refuses_other_encodings() {
    let utf16 = |text: &str, bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes).collect::<Vec<_>>();
    for text in [
        utf16(&whole(R1), u16::to_le_bytes),
        utf16(&whole(R1), u16::to_be_bytes),
        utf16(&("\u{feff}".to_owned() + &whole(R1)), u16::to_le_bytes),
        utf16(&("\u{feff}".to_owned() + &whole(R1)), u16::to_be_bytes),
    ] {
        refused(&text, required(), Code::EncodingInvalid, 1, false);
        assert!(survey(&text, required()).unwrap_err().description.contains("UTF-16"));
    }
    let latin = |text: &str| text.chars().map(|letter| u8::try_from(u32::from(letter)).unwrap()).collect::<Vec<_>>();
    refused(latin(&whole("r-1,2303770003322342,EUR\nr-2,\u{e9},EUR\n")), required(), Code::EncodingInvalid, 4, false);
    // Encoding comes before all else, wherever it stands.
    refused(latin(&format!("{COLS}{R1}\u{e9}\n")), required(), Code::EncodingInvalid, 3, false);
    refused(latin(&format!("{HDR}nonsense\n\n\nr-1\n\u{ff}")), required(), Code::EncodingInvalid, 6, false);
    // A cut character is a cut record, and anything but a record is not text.
    let cut = |text: &str| text.as_bytes()[..text.len() - 1].to_vec();
    refused(cut(&format!("{HDR}{COLS}{R1}r-2,\u{e9}")), required(), Code::TrailerMissing, 4, true);
    refused(cut(&format!("{COLS}{R1}r-2,1,\u{e9}")), optional(), Code::TrailerMissing, 3, true);
    refused(cut(&format!("{HDR}{COLS}{R1}TRL,\u{e9}")), required(), Code::EncodingInvalid, 4, true);
    refused(cut(&format!("{COLS}{R1}r-2,\u{e9}")), required(), Code::EncodingInvalid, 3, true);
}

#[test]
fn refuses_bad_headers() {
    let rest = format!("{COLS}TRL,0\n");
    let with = |from: &str, to: &str| HDR.replace(from, to) + &rest;
    for (text, code) in [
        (rest.clone(), Code::HeaderMissing),
        (with("HDR", "hdr"), Code::HeaderMissing),
        (with("HDR,", "HDRS,"), Code::HeaderMissing),
        (with("HDR,", "HDR;"), Code::HeaderMissing),
        (with("HDR,1", "HDR,2"), Code::VersionUnsupported),
        (with("HDR,1,", "HDR,01,"), Code::VersionUnsupported),
        (with("HDR,1,ACME", "HDR,2,9,9,9,9,9,ACME"), Code::VersionUnsupported),
        ("HDR\n".to_owned() + &rest, Code::FormatInvalid),
        (with(",TEST", ""), Code::FormatInvalid),
        (with(",TEST", ",TEST,"), Code::FormatInvalid),
        (with("20261120,", ","), Code::FormatInvalid),
        (with("20261120,", "2026 1120,"), Code::FormatInvalid),
        (with("20261120,", &format!("{},", "x".repeat(49))), Code::FormatInvalid),
        (with(",1,2026", ",x,2026"), Code::FormatInvalid),
        (with(",1,2026", ",1234567890123456789,2026"), Code::FormatInvalid),
        (with("T01", " 01"), Code::FormatInvalid),
        (with("ACME", "\"ACME"), Code::FormatInvalid),
        (with("ACME", "AC\"ME"), Code::FormatInvalid),
        (with("ACME", &"A".repeat(200)), Code::FormatInvalid),
        (with("ACME", "OTHER"), Code::HeaderMismatch),
        (with("payment-cards", "cards"), Code::HeaderMismatch),
        (with("TEST", "PROD"), Code::HeaderMismatch),
        (with("TEST", "LAB"), Code::HeaderMismatch),
    ] {
        refused(&text, required(), code, 1, false);
        if code != Code::HeaderMissing {
            refused(&text, optional(), code, 1, false);
        }
    }
    // The header comes before the columns and all that follows.
    refused(with("ACME", "OTHER").replace("pan", "pam") + "x\n\n", required(), Code::HeaderMismatch, 1, false);
    refused("x".repeat(500), required(), Code::HeaderMissing, 1, false);
    refused(format!("\n{HDR}{rest}"), required(), Code::FormatInvalid, 1, false);
    refused(format!("\n{COLS}"), optional(), Code::FormatInvalid, 1, false);
    refused("HD", required(), Code::HeaderMissing, 1, true);
    refused("HDX", required(), Code::HeaderMissing, 1, false);
}

#[test]
fn refuses_bad_columns() {
    let with = |columns: &str| format!("{HDR}{columns}\nr-1,1\nTRL,7\n");
    let bare = |columns: &str| format!("{columns}\nr-1,1\nTRL,7\n");
    for (columns, code) in [
        ("record_ref,pan,colour", Code::ColumnUnknown),
        ("record_ref,Pan", Code::ColumnUnknown),
        ("record_ref,pan,", Code::ColumnUnknown),
        ("record_ref, pan", Code::ColumnUnknown),
        ("r-0,2303770003322342", Code::ColumnUnknown),
        ("colour", Code::ColumnUnknown),
        ("record_ref", Code::ColumnMissing),
        ("pan,action,action", Code::ColumnMissing),
        ("record_ref,pan,pan", Code::FormatInvalid),
        ("record_ref,\"pan", Code::FormatInvalid),
        ("record_ref,p\"an", Code::FormatInvalid),
    ] {
        refused(with(columns), required(), code, 2, false);
        refused(bare(columns), optional(), code, 1, false);
    }
    refused(format!("{HDR}TRL,1\n"), required(), Code::ColumnMissing, 2, false);
    refused(format!("{HDR}\n{COLS}r-1\n"), required(), Code::FormatInvalid, 2, false);
    refused(format!("{HDR}\nrecord_ref\n"), required(), Code::ColumnMissing, 3, false);
    let said = survey(with("r-0,2303770003322342"), required()).unwrap_err().description;
    assert!(!said.contains("2303770003322342") && said.contains("record_ref, action, pan"), "{said}");
}

#[test]
fn refuses_sensitive_columns_and_says_so_whatever_the_code() {
    for (text, code, line) in [
        (format!("{HDR}record_ref,pan,cvv\n"), Code::SadPresent, 2),
        (format!("{HDR}record_ref,pan,\"Card Security Code\"\n"), Code::SadPresent, 2),
        (format!("{HDR}colour,pin_block\n"), Code::SadPresent, 2),
        (format!("{HDR}track2,track2\nr\n\n\nTRL,9\nx"), Code::SadPresent, 2),
        (format!("{HDR}record_ref;pan;cvv\n"), Code::SadPresent, 2),
        (HDR.replace("ACME", "OTHER") + "record_ref,pan,cvv\n", Code::HeaderMismatch, 1),
        ("record_ref,pan,cvv\n".to_owned(), Code::HeaderMissing, 1),
        (format!("{HDR}record_ref,\"pan,cvv\nr-1"), Code::FormatInvalid, 2),
    ] {
        let early = code == Code::FormatInvalid;
        assert_eq!(verdict(survey(&text, required())), Err((code, Some(line), early, true)), "{text}");
        let not_text = [text.as_bytes(), b"\xFF\n"].concat();
        let (code, _, early, sensitive) = verdict(survey(not_text, required())).unwrap_err();
        assert_eq!((code, early, sensitive), (Code::EncodingInvalid, false, true), "{text}");
    }
    let utf16: Vec<u8> = format!("{HDR}record_ref,pan,cvv\n").encode_utf16().flat_map(u16::to_be_bytes).collect();
    assert_eq!(verdict(survey(utf16, required())), Err((Code::EncodingInvalid, Some(1), false, true)));
    assert_eq!(verdict(survey("pin,track1\n", optional())), Err((Code::SadPresent, Some(1), false, true)));
}

#[test]
fn refuses_bad_records() {
    for (records, line) in [
        ("r-1,2303770003322342\n", 3),
        ("r-1,2303770003322342,EUR,\n", 3),
        ("r-1,2303770003322342,EUR\n\nr-2,2303770003322342,EUR\n", 4),
        ("\r\nr-2,2303770003322342,EUR\n", 3),
        ("r-1,23037700\r03322342,EUR\n", 3),
        ("r-1,2303770003322342,EUR\r\r\n", 3),
        ("r-1,2\"3,EUR\n", 3),
        ("\"r\"1,2,EUR\n", 3),
        ("r-1,\"2,EUR\nr-2,3,EUR\n", 3),
        ("\"r\n1\",\"2\r\n\",EUR\nr-2,3\n", 6),
        ("\"r-1\"\r,2,EUR\n", 3),
        ("TRL\n", 3),
        ("TRL,x\n", 3),
        ("TRL,-1\n", 3),
        ("TRL,1,abc\n", 3),
        ("TRL,1,,\n", 3),
        ("TRL,1,\"\n", 3),
        ("TRL,0\nr-1,2,EUR\n", 4),
        ("TRL,0\nTRL,0\n", 4),
        ("TRL,0\n\nx", 5),
        ("\nTRL,0\n", 3),
        (&format!("r-1,{},EUR\n", "2".repeat(192)), 3),
        (&format!("r-1,\"{}\",EUR\n", "2\n".repeat(100)), 3),
        (&format!("r-1,\"{}\",EUR\n", "2\"\"".repeat(80)), 3),
        (&format!("TRL,0\n{}", "x".repeat(300)), 4),
    ] {
        refused(format!("{HDR}{COLS}{records}TRL,77\n"), required(), Code::FormatInvalid, line, false);
        refused(format!("{COLS}{records}TRL,77\n"), optional(), Code::FormatInvalid, line - 1, false);
    }
    let fits = format!("r-1,{},EUR\n", "2".repeat(191));
    assert_eq!(fits.len(), 200);
    assert_eq!(verdict(survey(whole(&fits), required())), Ok(1));
    assert_eq!(verdict(survey(whole(&R1.repeat(20)), required())), Ok(20));
    refused(whole(&R1.repeat(21)), required(), Code::TooManyRecords, 23, false);
}

#[test]
fn refuses_a_file_that_stops_short() {
    for (text, line) in [
        (format!("{HDR}{COLS}{R1}"), 3),
        (format!("{HDR}{COLS}{}", R1.trim_end()), 3),
        (format!("{HDR}{COLS}"), 2),
        (HDR.to_owned(), 1),
        (format!("{HDR}{COLS}{R1}r-2"), 4),
        (format!("{HDR}{COLS}{R1}r-2,\"23"), 4),
        (format!("{HDR}{COLS}{R1}r-2,\"2\n3\n"), 4),
        (format!("{HDR}{COLS}{R1}TR"), 4),
        (format!("{HDR}{COLS}{R1}\"TRL"), 4),
    ] {
        refused(&text, required(), Code::TrailerMissing, line, true);
    }
    for (text, line) in [(format!("{COLS}r-2"), 2), (format!("{COLS}{R1}r-2,\"23"), 3), (HDR.to_owned(), 1)] {
        refused(&text, optional(), Code::TrailerMissing, line, true);
    }
    // Too many fields, or a quote out of place, is not what a cut makes.
    refused(format!("{COLS}r,1,EUR,"), optional(), Code::FormatInvalid, 2, false);
    refused(format!("{COLS}r,1\"0"), optional(), Code::FormatInvalid, 2, false);
    refused("record_ref,pa", optional(), Code::ColumnUnknown, 1, true);
    refused(HDR.replace(",TEST\n", ""), required(), Code::FormatInvalid, 1, true);
    refused(HDR.replace("ST\n", ""), required(), Code::HeaderMismatch, 1, true);
}

#[test]
fn refuses_a_wrong_trailer() {
    let before = format!("{HDR}{COLS}{R1}");
    let digest = hex(before.as_bytes());
    let wrong = hex(b"");
    for (trailer, code, early) in [
        ("TRL,2\n".to_owned(), Code::CountMismatch, false),
        ("TRL,0\n".to_owned(), Code::CountMismatch, false),
        (format!("TRL,2,{digest}\n"), Code::CountMismatch, false),
        (format!("TRL,2,{wrong}\n"), Code::CountMismatch, false),
        (format!("TRL,2,{digest}"), Code::CountMismatch, false),
        ("TRL,2".to_owned(), Code::CountMismatch, true),
        (format!("TRL,1,{wrong}\n"), Code::DigestMismatch, false),
        (format!("TRL,1,{wrong}"), Code::DigestMismatch, false),
        (format!("TRL,1,{}\n", &digest[..63]), Code::FormatInvalid, false),
        (format!("TRL,1,{}", &digest[..63]), Code::FormatInvalid, true),
        (format!("TRL,1,{digest}0"), Code::FormatInvalid, false),
        ("TRL,1,xyz".to_owned(), Code::FormatInvalid, false),
        ("TRL,1,\"".to_owned(), Code::FormatInvalid, true),
        ("TRL,".to_owned(), Code::FormatInvalid, true),
        ("TRL".to_owned(), Code::FormatInvalid, true),
    ] {
        refused(format!("{before}{trailer}"), required(), code, 4, early);
    }
    let said = survey(format!("{before}TRL,2303770003322342\n"), required()).unwrap_err().description;
    assert_eq!(said, "The trailer counts more records than the 1 that were read.");
}

#[test]
fn takes_a_digest_with_the_mark_or_without() {
    let before = format!("{HDR}{COLS}{R1}");
    for digest in [hex(before.as_bytes()), hex(format!("\u{feff}{before}").as_bytes())] {
        let proven = survey(format!("\u{feff}{before}TRL,1,{digest}\n"), required()).unwrap();
        assert_eq!(proven.records, 1);
    }
    let digest = hex(format!("\u{feff}{before}").as_bytes());
    refused(format!("{before}TRL,1,{digest}\n"), required(), Code::DigestMismatch, 4, false);
}

#[test]
fn content_is_what_is_neither_mark_nor_header_nor_trailer() {
    let digest = |text: &str| survey(text, optional()).unwrap().content_digest;
    let content: [u8; 32] = Sha256::digest(format!("{COLS}{R1}")).into();
    for text in [
        whole(R1),
        format!("\u{feff}{HDR}{COLS}{R1}TRL,1\r\n"),
        HDR.replace("20261120,1", "20261121,2") + COLS + R1 + "TRL,1\n",
        format!("{COLS}{R1}"),
    ] {
        assert_eq!(digest(&text), content, "{text}");
    }
    assert_ne!(digest(&whole("r-1,2303770003322342,USD\n")), content);
}
