//! What the daemon asks of the system stays inside what `nightdrop.service` allows: traced here over a night's work, and
//! over the whole suite in `make test-long`.

use std::fs;

use rustix::process::{Signal, kill_process};

use crate::file::CsvFile;
use crate::pan;
use crate::world::{PATIENCE, World, trace, until};

const SHORT: &str = "\n[retention]\narchive = \"1s\"\nquarantine = \"1s\"\noutbound = \"30d\"\nresults = \"30d\"\n";

/// A world whose key comes from a command, so that a child is among what is traced.
fn traced() -> World {
    let world = World::shaped(|shape| {
        shape.traced = true;
        shape.more = SHORT;
        shape.env = &[("WATCHDOG_USEC", "1000000")];
    });
    let text = fs::read_to_string(world.at("nightdrop.toml")).unwrap();
    let with_command = text.replace(r#"{ file = "keys/kek.key" }"#, r#"{ command = ["/bin/cat", "keys/kek.key"] }"#);
    assert_ne!(with_command, text);
    world.write("nightdrop.toml", with_command);
    world
}

#[test]
fn a_nights_work_makes_no_call_that_the_unit_does_not_allow() {
    let world = traced();
    let mut daemon = world.daemon();
    let good = CsvFile::good("GOOD", 350, 300);
    let stem = world.drop_sealed(&good);
    world.wait_for(&mut daemon, &format!("{stem}.summary.json"));
    let id = world.out().recon(&stem).id("r-1");
    world.drop_sealed(&good);
    world.drop_bytes("ACME_PAYCARDS_BAD.csv.jwe", "eyJhbGciOiJub25lIn0.a.b.c.d");
    let mixed = CsvFile::new("MIXED").with(|file| {
        file.delete("gone", &id).register("new", &pan::pan(pan::ACME, 351, 1), "EUR").row("bad,5.23E+15,EUR,,");
    });
    let stem = world.drop_sealed(&mixed);
    world.wait_for(&mut daemon, &format!("{stem}.summary.json"));
    world.nightdrop(&["redeliver", &mixed.name(), "--config", "nightdrop.toml"]).expect(0);
    world.nightdrop(&["backup", "--to", "copy.db", "--config", "nightdrop.toml"]).expect(0);
    kill_process(daemon.pid(), Signal::HUP).unwrap();
    until("a reload", || daemon.stderr().contains("\"reloaded\""));
    until("retention's round", || daemon.stderr().contains("\"retention\""));

    // Killed in the middle, and taken up again.
    let long = world.drop_sealed(&CsvFile::good("LONG", 352, 5_000));
    world.wait_for(&mut daemon, &format!("{long}.ack.json"));
    daemon.kill();
    let mut daemon = world.daemon();
    world.wait_for(&mut daemon, &format!("{long}.summary.json"));
    daemon.terminate(PATIENCE).expect(0);
    world.once().expect(0);

    // The trace was one of all that: a start with its child, a copy, a commit, a report, keys locked in memory.
    let calls = world.calls();
    for call in ["execve", "setpgid", "inotify_add_watch", "fsync", "renameat", "sendto", "mlock", "unlinkat"] {
        assert!(calls.contains(call), "{call} is not in the trace of {} calls: {calls:?}", calls.len());
    }
}

#[test]
fn a_call_that_the_unit_does_not_allow_is_told() {
    for (line, why) in [
        ("12 ptrace(PTRACE_TRACEME) = 0", "SystemCallFilter"),
        ("12 mount(NULL, NULL, NULL, 0, NULL <unfinished ...>", "SystemCallFilter"),
        ("12 setrlimit(RLIMIT_CORE, NULL) = 0", "SystemCallFilter"),
        ("12 fchown(3, 1000, 1000) = 0", "SystemCallFilter"),
        ("12 add_key(\"user\", \"x\", NULL, 0, 0) = 1", "SystemCallFilter"),
        ("12 socket(AF_INET, SOCK_STREAM, IPPROTO_TCP) = 4", "RestrictAddressFamilies"),
        ("12 mmap(NULL, 4096, PROT_READ|PROT_WRITE|PROT_EXEC, MAP_PRIVATE, -1, 0) = 0x7f", "MemoryDenyWriteExecute"),
        ("12 mprotect(0x7f, 4096, PROT_READ|PROT_EXEC) = 0", "MemoryDenyWriteExecute"),
        ("12 clone(child_stack=NULL, flags=CLONE_NEWUSER|SIGCHLD) = 13", "RestrictNamespaces"),
    ] {
        let told = trace::outside(line);
        assert!(told.len() == 1 && told[0].starts_with(why), "{line}: {told:?}");
    }
    let harmless = "12 read(3, \"\"..., 10) = 10\n12 <... mount resumed>) = 0\n12 +++ exited with 0 +++\n\
                    12 socket(AF_UNIX, SOCK_DGRAM, 0) = 3\n12 mmap(NULL, 9, PROT_READ|PROT_EXEC, MAP_PRIVATE, 3, 0) = 0x1";
    assert_eq!(trace::outside(harmless), [""; 0]);
}
