use super::*;

const AT: Timestamp = Timestamp(1_795_138_200_000);

fn trail(rows: i64) -> (Vec<AuditRow>, Anchor) {
    let mut made: Vec<AuditRow> = Vec::new();
    for n in 0..rows {
        let head = made.last().and_then(AuditRow::anchor);
        let entry =
            AuditEntry::new(AT, AuditEvent::FileAccepted, Actor::Daemon).of_file(FileNo(n)).with("records", n * 10);
        made.push(AuditRow::next(head.as_ref(), &entry));
    }
    let head = made.last().and_then(AuditRow::anchor).unwrap();
    (made, head)
}

fn verify(rows: &[AuditRow], head: Option<Anchor>, anchors: &[Anchor]) -> Result<Verified, Finding> {
    let mut verifier = Verifier::new(head, anchors);
    for row in rows {
        verifier.row(row.seq, Some(row))?;
    }
    verifier.end()
}

#[test]
fn a_trail_as_written_is_whole() {
    let (rows, head) = trail(5);
    assert_eq!(verify(&rows, Some(head), &[]), Ok(Verified { rows: 5, head: Some(head), anchors: 0 }));
    let anchors = [rows[1].anchor().unwrap(), head];
    assert_eq!(verify(&rows, Some(head), &anchors).unwrap().anchors, 2);
    assert_eq!(verify(&[], None, &[]), Ok(Verified { rows: 0, head: None, anchors: 0 }));
}

#[test]
fn whatever_is_changed_in_a_row_is_told() {
    let (rows, head) = trail(5);
    let changes: [fn(&mut AuditRow); 9] = [
        |row| row.version = 2,
        |row| row.at += 1,
        |row| row.event[0] ^= 1,
        |row| row.actor = b"uid 0".into(),
        |row| row.issuer = Some(Vec::new()),
        |row| row.file = None,
        |row| row.detail[3] ^= 1,
        |row| row.hash[31] ^= 1,
        |row| row.hash.truncate(31),
    ];
    for (n, change) in changes.iter().enumerate() {
        for at in 0..5 {
            let mut rows = rows.clone();
            change(&mut rows[at]);
            let seq = rows[at].seq;
            assert_eq!(verify(&rows, Some(head), &[]), Err(Finding::Changed { seq }), "change {n} of row {seq}");
        }
    }
}

#[test]
fn fields_cannot_flow_into_each_other() {
    let (rows, _) = trail(1);
    let digest = |change: fn(&mut AuditRow)| {
        let mut row = rows[0].clone();
        row.file = None;
        change(&mut row);
        row.digest(&NOTHING)
    };
    let made = [
        digest(|row| (row.event, row.actor) = (b"ab".into(), b"c".into())),
        digest(|row| (row.event, row.actor) = (b"a".into(), b"bc".into())),
        digest(|row| row.issuer = None),
        digest(|row| row.issuer = Some(Vec::new())),
        digest(|row| (row.issuer, row.file) = (Some(vec![0; 8]), None)),
        digest(|row| (row.issuer, row.file) = (None, Some(0))),
    ];
    for (n, one) in made.iter().enumerate() {
        assert!(!made[n + 1..].contains(one), "{n}");
    }
}

#[test]
fn rows_taken_out_put_in_or_moved_are_told() {
    let (rows, head) = trail(6);
    let with = |change: fn(&mut Vec<AuditRow>)| {
        let mut rows = rows.clone();
        change(&mut rows);
        verify(&rows, Some(head), &[])
    };
    assert_eq!(with(|rows| drop(rows.remove(0))), Err(Finding::Missing { from: 1, to: 1 }));
    assert_eq!(with(|rows| drop(rows.drain(2..4))), Err(Finding::Missing { from: 3, to: 4 }));
    assert_eq!(with(|rows| rows.truncate(5)), Err(Finding::Cut { from: 6, to: 6 }));
    assert_eq!(with(Vec::clear), Err(Finding::Cut { from: 1, to: 6 }));
    let swapped = |rows: &mut Vec<AuditRow>| {
        rows.swap(2, 3);
        (rows[2].seq, rows[3].seq) = (3, 4);
    };
    assert_eq!(with(swapped), Err(Finding::Changed { seq: 3 }));
    let early = |rows: &mut Vec<AuditRow>| {
        let zero = AuditRow { seq: 0, ..rows[0].clone() };
        rows.insert(0, zero);
    };
    assert_eq!(with(early), Err(Finding::Added { from: 0, to: 0 }));
    let late = |rows: &mut Vec<AuditRow>| {
        let entry = AuditEntry::new(AT, AuditEvent::Stopped, Actor::Uid(7));
        rows.push(AuditRow::next(rows[5].anchor().as_ref(), &entry));
    };
    assert_eq!(with(late), Err(Finding::Added { from: 7, to: 7 }));
    let odd = |rows: &mut Vec<AuditRow>| {
        let copy = AuditRow { seq: 9, ..rows[0].clone() };
        rows.push(copy);
    };
    assert_eq!(with(odd), Err(Finding::Added { from: 9, to: 9 }));
    let last_anew = |rows: &mut Vec<AuditRow>| {
        let entry = AuditEntry::new(AT, AuditEvent::Stopped, Actor::Uid(7));
        rows[5] = AuditRow::next(rows[4].anchor().as_ref(), &entry);
    };
    assert_eq!(with(last_anew), Err(Finding::HeadDiffers { seq: 6 }));
    assert_eq!(verify(&rows, None, &[]), Err(Finding::HeadGone));
    let mut verifier = Verifier::new(Some(head), &[]);
    assert_eq!(verifier.row(1, None), Err(Finding::Changed { seq: 1 }), "a row that cannot be read");
}

#[test]
fn a_trail_made_anew_is_told_by_an_anchor() {
    let (rows, head) = trail(6);
    let anchors = [rows[1].anchor().unwrap(), rows[4].anchor().unwrap(), head];
    // The rows from the fourth on, made again with one word changed, and a head that fits.
    let mut anew = rows[..3].to_vec();
    for _ in 3..6 {
        let entry = AuditEntry::new(AT, AuditEvent::FileRefused, Actor::Daemon);
        anew.push(AuditRow::next(anew.last().unwrap().anchor().as_ref(), &entry));
    }
    let head = anew[5].anchor();
    assert!(verify(&anew, head, &[]).is_ok(), "the chain alone cannot tell");
    assert_eq!(verify(&anew, head, &anchors), Err(Finding::AnchorDiffers { seq: 5 }));
    assert_eq!(
        verify(&anew[..3], anew[2].anchor(), &anchors),
        Err(Finding::AnchorGone { seq: 5, last: 3 }),
        "cut, with a head that fits"
    );
}

#[test]
fn anchors_are_read_as_they_are_written() {
    let (_, head) = trail(3);
    assert_eq!(Anchor::parse(&head.to_string()), Some(head));
    let digits = "0".repeat(64);
    for wrong in [
        "3".to_owned(),
        "3:".to_owned(),
        format!("0:{digits}"),
        format!("-1:{digits}"),
        format!("3:{digits}0"),
        format!("3:{}+0", &digits[..62]),
        format!("3:{}\u{e9}", &digits[..62]),
    ] {
        assert_eq!(Anchor::parse(&wrong), None, "{wrong}");
    }
}

#[test]
fn findings_are_sentences() {
    for (finding, words) in [
        (Finding::Missing { from: 3, to: 3 }, "row 3 is missing: the trail goes on after a gap"),
        (Finding::Cut { from: 3, to: 4 }, "rows 3 to 4 are missing: the end of the trail was cut"),
        (Finding::Added { from: 7, to: 7 }, "row 7 is there, but nightdrop did not write that"),
    ] {
        assert_eq!(finding.to_string(), words);
    }
}
