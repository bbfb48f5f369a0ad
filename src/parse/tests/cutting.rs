//! Pass 2 gives what pass 1 proved, in chunks of any size.

use super::*;

fn text() -> String {
    let mut before = format!("{HDR}{COLS}");
    for at in 0..15 {
        before += &match at % 4 {
            0 => format!("r-{at},230377000332234{at},EUR\n"),
            1 => format!("\"r-{at}\",\"2\"\"3\n4\",\r\n"),
            2 => ",,\n".to_owned(),
            _ => format!("r-{at},\"\",\"\"\"{at}\"\"\"\n"),
        };
    }
    with_trailer(&before, 15)
}

#[test]
fn gives_cells_in_the_services_order_with_ordinals_and_lines() {
    let text = "\u{feff}card_base_currency,pan,record_ref\r\n\"E\"\"UR\",\"1\n2\",r-1\r\n,,r-2\r\n\"\",x,\"r,3\"";
    let proven = survey(text, optional()).unwrap();
    let found = records(&cut(text.as_bytes(), &proven.layout, 100, 0, &[usize::MAX]).unwrap());
    let record = |ordinal, line, cells: [&str; 5]| (ordinal, line, cells.map(|cell| cell.as_bytes().to_vec()).to_vec());
    assert_eq!(
        found,
        [
            record(0, 2, ["r-1", "", "1\n2", "E\"UR", ""]),
            record(1, 4, ["r-2", "", "", "", ""]),
            record(2, 5, ["r,3", "", "x", "", ""]),
        ]
    );
}

#[test]
fn gives_the_same_records_whatever_the_chunk() {
    let text = text();
    let proven = survey(&text, required()).unwrap();
    let expected = records(&cut(text.as_bytes(), &proven.layout, 100, 0, &[usize::MAX]).unwrap());
    assert_eq!(expected.len(), 15);
    assert_eq!((expected[14].0, expected[14].1), (14, 21));
    for chunk_records in [1, 7, 15, 100] {
        let chunks = cut(text.as_bytes(), &proven.layout, chunk_records, 0, &[5]).unwrap();
        assert_eq!(records(&chunks), expected, "{chunk_records}");
        for (index, chunk) in chunks.iter().enumerate() {
            assert_eq!(chunk.index(), index as u64);
            assert_eq!(chunk.first_ordinal(), (index * chunk_records) as u64);
            assert_eq!(chunk.len(), chunk_records.min(15 - index * chunk_records));
        }
        for first in 0..=chunks.len() {
            for sizes in [&[1][..], &[5], &[64, 0, 1], &[usize::MAX]] {
                let resumed = cut(text.as_bytes(), &proven.layout, chunk_records, first as u64, sizes).unwrap();
                assert_eq!(resumed.len(), chunks.len() - first);
                assert_eq!(
                    records(&resumed),
                    expected[(first * chunk_records).min(15)..],
                    "{chunk_records} from {first}"
                );
            }
        }
    }
}

#[test]
fn chunks_are_ready_as_soon_as_they_are_whole() {
    let text = text();
    let proven = survey(&text, required()).unwrap();
    let mut cutter = Cutter::new(&proven.layout, 4, 0, None);
    let mut ready = Vec::new();
    let trailer = text.find("TRL").unwrap();
    cutter.push(&text.as_bytes()[..trailer], &mut ready).unwrap();
    assert_eq!(ready.iter().map(RawChunk::len).collect::<Vec<_>>(), [4, 4, 4, 3]);
    cutter.push(&text.as_bytes()[trailer..], &mut ready).unwrap();
    cutter.finish(&mut ready).unwrap();
    assert_eq!(ready.len(), 4);
}

#[test]
fn a_mark_is_no_part_of_the_longest_line() {
    let text = format!("\u{feff}{HDR}{COLS}r-1,2303770003322342,EUR\nTRL,1\n");
    let limits = Limits { line_bytes_max: HDR.len(), ..Limits::default() };
    let proven = survey(&text, Options { limits, ..required() }).unwrap();
    for size in [1, 2, 4, usize::MAX] {
        assert_eq!(cut(text.as_bytes(), &proven.layout, 100, 0, &[size]).unwrap()[0].len(), 1);
    }
}

#[test]
fn nil_files_have_no_chunks() {
    for text in [whole(""), format!("{HDR}TRL,0\n"), COLS.to_owned(), COLS.trim().to_owned()] {
        let proven = survey(&text, optional()).unwrap();
        assert_eq!(cut(text.as_bytes(), &proven.layout, 100, 0, &[3]).unwrap().len(), 0);
    }
}

#[test]
fn notices_that_the_file_is_another() {
    let text = text();
    let layout = survey(&text, required()).unwrap().layout;
    let trailer = text.find("TRL").unwrap();
    assert_eq!(
        cut(&text.as_bytes()[..trailer - 30], &layout, 4, 0, &[9]).unwrap_err(),
        ParseError::Records { expected: 15, found: 13 }
    );
    let swallowed = text.replacen("r-4,", "r-4,\"", 1).replace("\",", ",").replace("\"\"", "");
    assert!(cut(swallowed.as_bytes(), &layout, 4, 0, &[9]).is_err());
    let long = text.replace("r-12,", &format!("r-12{},", "x".repeat(200)));
    assert_eq!(cut(long.as_bytes(), &layout, 4, 0, &[9]).unwrap_err(), ParseError::Record { line: 18 });
    for (from, to) in [("r-4,", "r-4,,"), ("r-4,2", "r-4 2"), ("r-4,2", "r-4\"2\"")] {
        let other = text.replace(from, to);
        let chunks = cut(other.as_bytes(), &layout, 4, 0, &[9]).unwrap();
        assert_eq!(chunks[1].for_each(&mut |_, _, _, _| ()), Err(ParseError::Record { line: 8 }), "{to}");
    }
}

#[test]
fn a_quote_that_is_never_closed_is_not_kept() {
    let options = || Options { limits: Limits::default(), ..required() };
    let mut survey = Survey::new(options());
    survey.push(format!("{HDR}{COLS}r-1,\"").as_bytes());
    let piece = vec![b'2'; 64 << 10];
    for _ in 0..64 {
        survey.push(&piece);
    }
    assert_eq!(verdict(survey.finish()), Err((Code::FormatInvalid, Some(3), false, false)));

    let text = whole("r-1,\"2303770003322342\",EUR\n");
    let layout = super::survey(&text, options()).unwrap().layout;
    let mut cutter = Cutter::new(&layout, 100, 0, None);
    cutter.push(format!("{HDR}{COLS}r-1,\"").as_bytes(), &mut Vec::new()).unwrap();
    assert_eq!(cutter.push(&piece, &mut Vec::new()), Err(ParseError::Record { line: 3 }));
}

#[test]
fn debug_shows_no_cell() {
    let text = whole("r-1,2303770003322342,EUR\n");
    let proven = survey(&text, required()).unwrap();
    let chunks = cut(text.as_bytes(), &proven.layout, 100, 0, &[usize::MAX]).unwrap();
    assert_eq!(format!("{chunks:?}"), "[RawChunk { index: 0, first_ordinal: 0, len: 1, .. }]");
    assert!(!format!("{proven:?}").contains("2303770003322342"));
}
