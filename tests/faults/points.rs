//! The process ends at every point, by a kill or by its own fault, and is started again: nothing differs from a run that
//! was left in peace.

use crate::file::CsvFile;
use crate::pan;
use crate::world::{World, expect_same};

/// Every point of an accepted file's way, and at which visit.
const POINTS: &[(&str, u32)] = &[
    ("intent", 1),
    ("copied", 1),
    ("claimed", 1),
    ("marked", 1),
    ("opened", 1),
    ("decided", 1),
    ("acked", 1),
    ("original_removed", 1),
    ("committed", 1),
    ("committed", 2),
    ("committed", 3),
    ("registered", 1),
    ("reports", 1),
    ("reported", 1),
    ("summary", 1),
    ("kept", 1),
];

fn file() -> CsvFile {
    CsvFile::good("POINTS", 1, 700).with(|file| {
        file.register("again", &pan::pan(pan::ACME, 1, 5), "EUR").row("bad,,5.23E+15,EUR,");
    })
}

fn told(world: &World, stem: &str) -> [Vec<u8>; 3] {
    let out = world.out();
    [out.content(&format!("{stem}.recon.csv")), out.content(&format!("{stem}.errors.csv")), out.timeless_summary(stem)]
}

#[test]
fn an_end_at_any_point_changes_nothing() {
    let first = World::shaped(|shape| {
        shape.reply = false;
        shape.daemon = "group_records_max = 200";
    });
    first.once().expect(0);
    let peace = first.copied(|_| {});
    let stem = peace.drop_sealed(&file());
    peace.once().expect(4);
    let expected = told(&peace, &stem);
    for (point, nth) in POINTS {
        for action in ["kill", "abort"] {
            let world = first.copied(|_| {});
            world.drop_sealed(&file());
            world.plan(Some(&format!("{point}:{action}:{nth}")));
            let ended = world.once();
            assert_eq!(ended.code(), None, "{point}:{action} was not reached: {}", ended.stderr);
            world.plan(None);
            world.once();
            let what = format!("{action} at visit {nth} of {point}");
            for (one, other) in expected.iter().zip(&told(&world, &stem)) {
                expect_same(&what, one, other);
            }
            assert!(world.waiting().is_empty(), "{what}: the original is still there");
            assert_eq!(world.kept_in("archive").len(), 1, "{what}");
            world.nightdrop(&["audit", "verify", "--config", "nightdrop.toml"]).expect(0);
        }
    }
}

#[test]
fn an_end_while_a_file_is_refused_changes_nothing() {
    for point in ["refused", "acked"] {
        let world = World::new();
        world.drop_bytes(
            "ACME_PAYCARDS_BAD.csv.jwe",
            world.sealed(&file().with(|it| it.count = Some("3".into())).text()),
        );
        world.plan(Some(&format!("{point}:kill")));
        assert_eq!(world.once().code(), None, "{point}");
        world.plan(None);
        world.once();
        world.out().refused("ACME_PAYCARDS_BAD", "COUNT_MISMATCH");
        assert_eq!((world.kept_in("quarantine").len(), world.waiting().len()), (1, 0), "{point}");
    }
}
