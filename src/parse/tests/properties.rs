//! What holds for every text, and the csv crate as oracle.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn sizes() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![
        Just(vec![1]),
        vec(0_usize..9, 1..6).prop_map(|mut sizes| {
            sizes.push(3);
            sizes
        }),
        Just(vec![usize::MAX])
    ]
}

/// A text made of what texts are made of, in any order: most are wrong in some way, many nearly right.
fn text() -> impl Strategy<Value = Vec<u8>> {
    const PARTS: &[&[u8]] = &[
        b"r-1,2303770003322342,EUR\n",
        b"r-2,\"1\n2\",EUR\r\n",
        b"\"a\"\"b\",,\n",
        b"r,1,E",
        b"\n",
        b"\r\n",
        b"\r",
        b"\"",
        b"\"\"",
        b",",
        b"a",
        b"TRL,1\n",
        b"TRL,2",
        b"TRL,",
        b"TRL",
        b"HDR,",
        b"cvv",
        b"\xC3\xA9",
        b"\xC3",
        b"\xFF",
        b"\0",
        b"\xEF\xBB\xBF",
        b"\"TRL\",3\r\n",
        b"x,\"y,\nTRL,1\n",
    ];
    const STARTS: &[&str] = &["", "", "\u{feff}"];
    let header = prop_oneof![4 => Just(HDR.to_owned()), 1 => Just(String::new()), 1 => Just(HDR.replace('\n', "\r\n"))];
    let columns = prop_oneof![
        6 => Just(COLS.to_owned()),
        1 => Just("pan,record_ref,action\n".to_owned()),
        1 => Just("record_ref,cvv,pan\n".to_owned()),
        1 => Just(String::new()),
    ];
    let parts = vec(prop::sample::select(PARTS), 0..8).prop_map(|parts| parts.concat());
    let good = vec(prop::sample::select(&PARTS[..3]), 0..6).prop_map(|parts| parts.concat());
    let trailer = prop_oneof![2 => Just(0), 1 => 1..7_usize];
    (prop::sample::select(STARTS), header, columns, good, parts, trailer).prop_map(
        |(start, header, columns, good, parts, trailer)| {
            let mut text = [start.as_bytes(), header.as_bytes(), columns.as_bytes(), &good, &parts].concat();
            if trailer > 0 {
                text.extend_from_slice(format!("TRL,{}\n", trailer - 1).as_bytes());
            }
            text
        },
    )
}

/// Columns of `COLS` and of `pan,record_ref,action` by their places in the service's.
fn in_service_order(cells: &csv::ByteRecord, heads: &csv::ByteRecord) -> Vec<Vec<u8>> {
    let place = |name: &&str| heads.iter().position(|head| head == name.as_bytes());
    COLUMNS.names.iter().map(|name| place(name).map_or(Vec::new(), |at| cells[at].to_vec())).collect()
}

fn oracle(text: &[u8], options: &Options, proven: &Proven) -> Vec<Vec<Vec<u8>>> {
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(options.delimiter).from_reader(text);
    let mut rows = reader.byte_records().map(|row| row.unwrap());
    if proven.header.is_some() {
        rows.next();
    }
    let Some(heads) = rows.next().filter(|_| proven.records > 0) else { return Vec::new() };
    rows.take(usize::try_from(proven.records).unwrap()).map(|row| in_service_order(&row, &heads)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn a_text_comes_to_the_same_however_it_is_split(
        text in text(), sizes in sizes(), required in any::<bool>(), line_bytes_max in prop_oneof![Just(200_usize), 25_usize..70],
        chunk in 1_usize..5,
    ) {
        let mut options = options(if required { Controls::Required } else { Controls::Optional });
        options.limits.line_bytes_max = line_bytes_max;
        let at_once = survey(&text, options.clone());
        prop_assert_eq!(&survey_in_pieces(&text, options.clone(), &sizes), &at_once);
        if let Ok(proven) = at_once {
            let chunks = cut(&text, &proven.layout, chunk, 0, &sizes).unwrap();
            let found = records(&chunks);
            prop_assert_eq!(found.len() as u64, proven.records);
            let cells: Vec<_> = found.iter().map(|record| record.2.clone()).collect();
            prop_assert_eq!(cells, oracle(&text, &options, &proven));
            prop_assert!(found.iter().enumerate().all(|(at, record)| record.0 == at as u64));
        }
    }

    #[test]
    fn random_bytes_never_panic(
        text in vec(any::<u8>(), 0..60), sizes in sizes(), heads in 0_usize..3, required in any::<bool>(),
    ) {
        let options = || if required { super::required() } else { optional() };
        let text = [[HDR, COLS][..heads].concat().as_bytes(), &text].concat();
        let at_once = survey(&text, options());
        prop_assert_eq!(&survey_in_pieces(&text, options(), &sizes), &at_once);
        // Pass 2 must stand anything too: what it was made for is another text.
        let layout = survey(whole("r-1,\"1\",EUR\nr-2,2,EUR\n"), super::required()).unwrap().layout;
        for chunk in cut(&text, &layout, 1, 0, &sizes).unwrap_or_default() {
            let _ = chunk.for_each(&mut |_, _, cells, _| assert_eq!(cells.len(), COLUMNS.names.len()));
        }
    }

    #[test]
    fn reads_what_the_csv_crate_writes(
        rows in vec(vec("[a-c\"\n\r,; \u{e9}]{0,5}", 3), 1..12), always in any::<bool>(), crlf in any::<bool>(),
        delimiter in prop::sample::select(&b",;\t|"[..]), mark in any::<bool>(), chunk in 1_usize..5, sizes in sizes(),
    ) {
        let write = |row: &[&str]| {
            let mut writer = csv::WriterBuilder::new()
                .delimiter(delimiter)
                .quote_style(if always { csv::QuoteStyle::Always } else { csv::QuoteStyle::Necessary })
                .terminator(if crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') })
                .from_writer(Vec::new());
            writer.write_record(row).unwrap();
            String::from_utf8(writer.into_inner().unwrap()).unwrap()
        };
        let header: Vec<&str> = HDR.trim().split(',').collect();
        let mut before = write(&header) + &write(&COLS.trim().split(',').collect::<Vec<_>>());
        let mut expected = Vec::new();
        for (ordinal, row) in (0_u64..).zip(&rows) {
            let line = 1 + before.matches('\n').count() as u64;
            let cells = [&row[0], "", &row[1], &row[2], ""].map(|cell| cell.as_bytes().to_vec()).to_vec();
            expected.push((ordinal, line, cells));
            before += &write(&row.iter().map(String::as_str).collect::<Vec<_>>());
        }
        let mark = if mark { "\u{feff}" } else { "" };
        let digest = hex(before.as_bytes());
        let text = format!("{mark}{before}{}", write(&["TRL", &rows.len().to_string(), &digest]));
        let proven = survey_in_pieces(text.as_bytes(), Options { delimiter, ..required() }, &sizes).unwrap();
        let chunks = cut(text.as_bytes(), &proven.layout, chunk, 0, &sizes).unwrap();
        prop_assert_eq!(records(&chunks), expected);
    }
}

#[test]
fn a_file_cut_anywhere_ends_early() {
    for (count, quote, end) in [(0, "", "\n"), (1, "\"", "\r\n"), (12, "", "\r\n"), (12, "\"", "\n")] {
        let rows: String = (0..count).map(|at| format!("r-{at},{quote}230377000332234{at}{quote},EUR\n")).collect();
        let before = format!("{HDR}{COLS}{rows}").replace('\n', end);
        let text = format!("{}{end}", with_trailer(&before, count).trim_end());
        let trailer = before.len() + format!("TRL,{count}").len();
        for length in 0..=text.len() {
            let result = survey(&text[..length], required());
            // A count that is right, without a digest or with a whole one, is a trailer.
            let is_trailer = (trailer..=trailer + 1).contains(&length) || length >= trailer + 65;
            assert_eq!(result.is_ok(), is_trailer, "{}", &text[..length]);
            if let Err(refusal) = result {
                assert!(refusal.ends_early, "{refusal:?}: {}", &text[..length]);
            }
        }
    }
}
