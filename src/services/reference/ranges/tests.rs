use proptest::prelude::*;

use super::*;

const HEAD: &str = "issuer,cid,ica,country,low,high,services\n";

fn parse(rows: &str) -> Result<AccountRanges, Vec<Mistake>> {
    AccountRanges::parse(format!("{HEAD}{rows}").as_bytes())
}

#[test]
fn holds_the_sandboxes_numbers() {
    let ranges = parse(
        "ACME,102160,12345,USA,2303770003300000000,2303770003399999999,payment-cards|pan-lists\n\
         OTHER,,,,2303770004100000000,2303770004199999999,pan-lists\n",
    )
    .unwrap();
    let service = ServiceName::PaymentCards;
    // All ten numbers of 16 digits that share the range's first 15, and their neighbours.
    let acme = ranges.for_issuer("ACME", service);
    for pan in 2_303_770_003_300_000..2_303_770_003_400_000_u64 {
        assert!(acme.contains(pan.to_string().as_bytes()), "{pan}");
    }
    for pan in ["2303770003322342", "2303770003300000000", "2303770003399999999", "230377000330000000"] {
        assert!(ranges.contains("ACME", service, pan.as_bytes()), "{pan}");
    }
    for pan in
        ["2303770003299999", "2303770003400000", "2303770003299999999", "23037700033a", "", "23037700033000000000"]
    {
        assert!(!ranges.contains("ACME", service, pan.as_bytes()), "{pan}");
    }
    // Eleven digits stand for the whole range, ten for more than it.
    assert!(ranges.contains("ACME", service, b"23037700033"));
    assert!(!ranges.contains("ACME", service, b"2303770003"));
    for pan in ["2303770004151208945", "2303770004133842092", "2303770004183976618"] {
        assert!(ranges.contains("OTHER", ServiceName::PanLists, pan.as_bytes()), "{pan}");
        assert!(!ranges.contains("OTHER", service, pan.as_bytes()), "another service: {pan}");
        assert!(!ranges.contains("ACME", ServiceName::PanLists, pan.as_bytes()), "another issuer: {pan}");
    }
    assert!(ranges.for_issuer("NOBODY", service).is_empty());
    assert_eq!(ranges.issuers().collect::<Vec<_>>(), ["ACME", "OTHER"]);
    let own: Vec<_> = ranges.ranges_of("ACME", service).map(|range| (range.low.as_str(), range.cid.as_str())).collect();
    assert_eq!(own, [("2303770003300000000", "102160")]);
    assert_eq!(ranges.ranges_of("OTHER", service).count(), 0);
}

#[test]
fn a_short_number_must_lie_in_one_range() {
    // 52000000001 stands for 5200000000100000000 to 5200000000199999999, which the two own only together.
    let rows = "ACME,,,,5200000000100000000,5200000000149999999,cards\nACME,,,,5200000000150000000,5200000000199999999,cards\n";
    let ranges = parse(rows).unwrap();
    assert!(!ranges.contains("ACME", ServiceName::Cards, b"52000000001"));
    assert!(ranges.contains("ACME", ServiceName::Cards, b"520000000014"));
    let nested = parse(&format!("{rows}ACME,,,,52000000001,52000000001,cards\n")).unwrap();
    assert!(nested.contains("ACME", ServiceName::Cards, b"52000000001"));
}

#[test]
fn reports_all_mistakes_at_once() {
    let mistakes = parse(
        "acme,,,,52000000000,52000000000,cards\n\
         ACME,1-2,?,Utopia,520,5200000000000000000x,cards|gold|cards\n\
         \n\
         ACME,,,FR,52000000002,52000000001,cards\n\
         ACME,,,FR,52000000003,52000000003,cards|pan-lists\n\
         ACME,,,FR,520000000030,52000000003,payment-cards\n\
         ACME,,,FR,5200000000300,5200000000399,pan-lists\n\
         ACME,,,FR,52000000005,52000000005,\n\
         ACME,,,FR,52000000005\n",
    )
    .unwrap_err();
    let found: Vec<_> = mistakes.iter().map(|mistake| (mistake.line, mistake.column.unwrap_or_default())).collect();
    assert_eq!(
        found,
        [
            (2, "issuer"),
            (3, "cid"),
            (3, "ica"),
            (3, "country"),
            (3, "low"),
            (3, "high"),
            (3, "services"),
            (3, "services"),
            (5, "low"),
            (8, "low"),
            (9, "services"),
            (10, ""),
        ]
    );
    assert_eq!(mistakes[9].to_string(), "line 8, column low: The range repeats that of line 6 for pan-lists.");
    let said = format!("{mistakes:?}");
    assert!(!said.contains("Utopia") && !said.contains("5200"), "{said}");
}

#[test]
fn is_not_put_off_by_what_is_no_table() {
    for csv in [&b""[..], b"\xFF\xFE", b"\"", b"issuer,cid\n", b"issuer,issuer,issuer,issuer,issuer,issuer,issuer\n"] {
        assert_eq!(AccountRanges::parse(csv).unwrap_err().len(), 1, "{csv:?}");
    }
}

/// Digits few enough for ranges and numbers to meet.
fn digits() -> impl Strategy<Value = String> {
    "52000000[0-2]{3,11}"
}

proptest! {
    #[test]
    fn agrees_with_a_scan_of_strings(
        bounds in proptest::collection::vec((digits(), digits()), 0..12),
        pans in proptest::collection::vec(digits(), 1..40),
    ) {
        let low = |digits: &str| format!("{digits:0<19}");
        let high = |digits: &str| format!("{digits:9<19}");
        let mut bounds = bounds;
        bounds.retain(|bound| low(&bound.0) <= high(&bound.1));
        bounds.sort_by_key(|bound| (low(&bound.0), high(&bound.1)));
        bounds.dedup_by_key(|bound| (low(&bound.0), high(&bound.1)));
        let rows: String = bounds.iter().map(|bound| format!("ACME,,,,{},{},cards\n", bound.0, bound.1)).collect();
        let ranges = parse(&rows).unwrap().for_issuer("ACME", ServiceName::Cards);
        // Ends of ranges are the likeliest to be judged wrong.
        let ends = bounds.iter().flat_map(|bound| [bound.0.clone(), bound.1.clone()]);
        for pan in pans.into_iter().chain(ends) {
            let scanned = bounds.iter().any(|bound| low(&pan) >= low(&bound.0) && high(&pan) <= high(&bound.1));
            prop_assert_eq!(ranges.contains(pan.as_bytes()), scanned, "{} in {:?}", pan, bounds);
            let width = |bound: &(String, String)| high(&bound.1).parse::<u64>().unwrap() - low(&bound.0).parse::<u64>().unwrap();
            let holding = bounds.iter().filter(|bound| low(&pan) >= low(&bound.0) && high(&pan) <= high(&bound.1));
            let narrowest = ranges.narrowest(pan.as_bytes()).map(|range| width(&(range.low.clone(), range.high.clone())));
            prop_assert_eq!(narrowest, holding.map(width).min(), "{} in {:?}", pan, bounds);
        }
    }

    #[test]
    fn never_panics(csv in proptest::collection::vec(any::<u8>(), 0..80), number in proptest::collection::vec(any::<u8>(), 0..25)) {
        let _ = AccountRanges::parse(&csv);
        let _ = AccountRanges::parse(&[HEAD.as_bytes(), &csv].concat());
        prop_assert!(!IssuerRanges::default().contains(&number));
    }
}
