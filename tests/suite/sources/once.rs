//! A batch run with partners' servers.

use std::time::Duration;

use super::Site;
use crate::file::CsvFile;
use crate::world::faulty::{Fault, Faulty, Way};
use crate::world::sshd::Sshd;

#[test]
fn a_batch_run_ends_without_a_server_that_is_away_and_delivers_the_next_time() {
    let mut site = Site::new();
    site.sshd.stop();
    let stem = site.world.drop_sealed(&CsvFile::good("DROPPED", 41, 4));
    let ran = site.world.once().expect(3);
    assert!(ran.took < Duration::from_secs(30), "{:?}", ran.took);
    assert!(ran.stderr.contains("source acme"), "{}", ran.stderr);
    assert_eq!(site.world.out().recon(&stem).trailer[0], 4);
    assert_eq!(site.source("acme")["state"], "unreachable");
    assert_eq!(site.source("acme")["backlog"], 3);
    site.sshd.restart(|_| {});
    site.world.once().expect(0);
    assert!(site.all_is_delivered());
    site.expect_whole();
    assert_eq!(site.source("acme")["backlog"], 0);
}

#[test]
fn a_batch_run_outlasts_a_line_that_breaks_and_ends_by_itself() {
    let sshd = Sshd::new();
    let line = Faulty::to(sshd.port);
    let site = Site::through(sshd, line.port, |_| {}, "");
    let stems = [("B1", 42), ("B2", 43)].map(|(batch, series)| site.put_good(batch, series, 60).1);
    // Each connection gets some way, and none gets to the end.
    line.set(Fault::Cut(Way::Up, 9_000));
    let ran = site.world.once();
    assert!(matches!(ran.code(), Some(0 | 3)), "{}", ran.stderr);
    site.expect_whole();
    line.set(Fault::None);
    site.world.once().expect(0);
    assert!(site.all_is_delivered() && site.there("out").is_empty());
    for stem in stems {
        assert_eq!(site.world.out().recon(&stem).trailer[1], 60);
    }
    assert_eq!((site.files().len(), line.connections() > 2), (2, true));
}
