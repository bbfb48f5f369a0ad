//! SIGKILL at random moments while files are fetched and answers delivered: each is registered once, every answer delivered. 8 kills
//! in `make test`, 100 in `make test-long`.

use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::Site;
use super::faults::expect_undisturbed;
use crate::file::CsvFile;
use crate::world::{PATIENCE, long, now, pause, until};

#[test]
fn kills_while_files_are_exchanged_change_nothing() {
    let kills = if long() { 100 } else { 8 };
    let site = Site::new();
    site.world.once().expect(0);
    let peace = site.world.copied(|_| {});
    let mut random = ChaCha8Rng::seed_from_u64(20_261_127);
    let mut stems = Vec::new();
    let put = |n: u32, stems: &mut Vec<String>| {
        let file = CsvFile::good(&format!("K{n:03}"), u64::from(500 + n), 200);
        let sealed = site.world.sealed(&file.text());
        peace.drop_bytes(&file.name(), &sealed);
        site.put(&file.name(), &sealed);
        stems.push(file.stem());
    };
    // How long one takes from the start of the daemon to its last answer, so that kills fall everywhere between.
    put(0, &mut stems);
    let began = now();
    let daemon = site.world.daemon();
    until("the first one's answers", || site.delivered(&format!("{}.summary.json", stems[0])).exists());
    let span = now() - began;
    daemon.terminate(PATIENCE).expect(0);
    for n in 1..=kills {
        put(n, &mut stems);
        let mut daemon = site.world.daemon_unready();
        pause(span.mul_f64(f64::from(random.next_u32()) / f64::from(u32::MAX)) + Duration::from_millis(100));
        assert!(daemon.alive(), "{}", daemon.stderr());
        daemon.kill();
        site.expect_whole();
    }
    let daemon = site.world.daemon();
    until("all is gone there", || site.there("out").is_empty());
    until("all is delivered", || {
        stems.iter().all(|stem| site.delivered(&format!("{stem}.summary.json")).exists()) && site.all_is_delivered()
    });
    daemon.terminate(PATIENCE).expect(0);
    site.expect_whole();
    expect_undisturbed(&site, &peace, &stems);
    assert!(site.there("in").iter().all(|name| !name.starts_with('.')), "{:?}", site.there("in"));
}
