//! A broken world: waited for where it can heal, held for a person where it cannot.

use std::fs;
use std::process::Command;

use crate::file::CsvFile;
use crate::world::{PATIENCE, Running, World, until};

#[test]
fn without_an_outbound_directory_nothing_is_acknowledged_and_with_one_all_goes_on() {
    let world = World::new();
    let mut daemon = world.daemon();
    let outbound = world.at("outbound");
    fs::remove_dir_all(&outbound).unwrap();
    let file = CsvFile::good("AWAY", 301, 500);
    let stem = world.drop_sealed(&file);
    until("the daemon says so", || daemon.stderr().contains("world_failed"));
    assert_eq!(daemon.stderr().matches("\"world_failed\"").count(), 1, "said once, not at every try");
    assert!(daemon.alive());
    assert_eq!(world.waiting(), [file.name()], "the original stays until its ack is written");

    fs::create_dir(&outbound).unwrap();
    world.wait_for(&mut daemon, &format!("{stem}.summary.json"));
    assert!(daemon.stderr().contains("world_recovered"));
    daemon.terminate(PATIENCE).expect(0);
    assert_eq!(world.out().recon(&stem).trailer, [500, 500, 0, 0, 0, 0]);
}

/// What the disk took is not known any more, so the process ends and the next one writes anew. Nothing else comes that could wake the lane.
#[test]
fn a_report_that_cannot_be_synced_ends_the_process_at_once() {
    let world = World::shaped(|shape| shape.reply = false);
    world.once().expect(0);
    let file = CsvFile::good("SYNC", 303, 50);
    let draft = world.out().at(&format!(".nightdrop-{}.recon.csv.0.tmp", file.stem()));
    let mut strace = Command::new("strace");
    strace.args(["-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync", "-e", "inject=fsync:error=EIO", "-P"]);
    strace.arg(draft).args([env!("CARGO_BIN_EXE_nightdrop"), "run", "--config", "nightdrop.toml"]);
    strace.current_dir(world.path()).env_clear();
    let mut daemon = Running::start(strace, world.at("said/strace"), None);
    let stem = world.drop_sealed(&file);
    until("the daemon ends", || !daemon.alive());
    assert!(daemon.stderr().contains("recon.csv"), "{}", daemon.stderr());
    assert!(!world.out().has(&format!("{stem}.summary.json")));
    world.once().expect(0);
    assert_eq!(world.out().recon(&stem).trailer, [50, 50, 0, 0, 0, 0]);
}

#[test]
fn a_held_files_original_is_left_alone_however_often_the_daemon_starts() {
    let world = World::new();
    let daemon = world.daemon();
    fs::remove_dir_all(world.at("outbound")).unwrap();
    let file = CsvFile::good("HELD", 302, 50);
    world.drop_sealed(&file);
    // Accepted, and its ack cannot be written: the original still lies there.
    until("the daemon says so", || daemon.stderr().contains("world_failed"));
    daemon.kill();
    let copies = world.kept_in("work");
    assert_eq!(copies.len(), 1, "{copies:?}");
    let mut bytes = fs::read(&copies[0]).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&copies[0], bytes).unwrap();
    fs::create_dir(world.at("outbound")).unwrap();

    for start in 1..=3 {
        let ran = world.once().expect(3);
        assert!(ran.stderr.contains("held"), "start {start}: {}", ran.stderr);
        assert_eq!(world.waiting(), [file.name()], "start {start}: the last whole copy is the original");
        assert_eq!(world.out().names(), [""; 0], "start {start}");
    }
}
