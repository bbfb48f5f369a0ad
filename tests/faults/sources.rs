//! The process ends at every point of a file's way from a partner's server and back to it.

use crate::site::Site;

/// Every point between the server and us, and at which visit.
const POINTS: &[(&str, u32)] = &[
    ("intent", 1),
    ("copied", 1),
    ("claimed", 1),
    ("decided", 1),
    ("acked", 1),
    ("set_aside", 1),
    ("gone_there", 1),
    ("reported", 1),
    ("summary", 1),
    ("delivered", 1),
    ("delivered", 2),
    ("delivered", 3),
];

#[test]
fn an_end_at_any_point_of_an_exchange_changes_nothing() {
    for (place, more) in [("", ""), ("out/processed", "after = \"move:processed\"")] {
        let site = Site::with(crate::world::sshd::Sshd::new(), |_| {}, more);
        if !place.is_empty() {
            std::fs::create_dir(site.sshd.files().join(place)).unwrap();
        }
        let mut names = Vec::new();
        for (n, (point, nth)) in POINTS.iter().enumerate() {
            let (name, stem) = site.put_good(&format!("P{n:02}"), 100 + u32::try_from(n).unwrap(), 30);
            site.world.plan(Some(&format!("{point}:kill:{nth}")));
            let ended = site.world.once();
            assert_eq!(ended.code(), None, "{point} was not reached: {}", ended.stderr);
            site.expect_whole();
            site.world.plan(None);
            site.world.once().expect(0);
            let what = format!("an end at visit {nth} of {point}, {more}");
            names.push(name);
            assert!(site.all_is_delivered(), "{what}: {:?}", site.there("in"));
            site.expect_whole();
            assert_eq!(site.there("in").len(), 3 * names.len(), "{what}: {:?}", site.there("in"));
            assert_eq!(site.world.out().recon(&stem).trailer[1], 30, "{what}");
            assert_eq!(site.files().len(), names.len(), "{what}: {:?}", site.files());
            let left: Vec<_> = site.there("out").into_iter().filter(|name| name != "processed").collect();
            assert_eq!(left, [""; 0], "{what}");
            if !place.is_empty() {
                assert_eq!(site.there(place), names, "{what}");
            }
            assert_eq!(site.source("acme")["backlog"], 0, "{what}");
        }
        site.world.nightdrop(&["audit", "verify", "--config", "nightdrop.toml"]).expect(0);
    }
}
