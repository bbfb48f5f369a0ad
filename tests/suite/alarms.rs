//! An operator is called once, told how it ended, and the call stands in `status` meanwhile.

use std::fs;

use serde_json::Value;

use crate::file::CsvFile;
use crate::world::{PATIENCE, Running, World, until};

const TELLS: &str =
    "\n[alarm]\ncommand = [\"/bin/sh\", \"-c\", \"cat >> told.jsonl; env | cut -d= -f1 | sort > env.txt\"]\n";
const FAILS: &str = "\n[alarm]\ncommand = [\"false\"]\n";

fn told(world: &World) -> Vec<Value> {
    let lines = fs::read_to_string(world.at("told.jsonl")).unwrap_or_default();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn alarms(world: &World) -> Value {
    let status = world.nightdrop(&["status", "--json", "--config", "nightdrop.toml"]).expect(0);
    serde_json::from_slice::<Value>(&status.stdout).unwrap()["alarms"].take()
}

fn said(daemon: &Running, event: &str) -> usize {
    daemon.stderr().matches(&format!("event=\"{event}\"")).count()
}

/// A file that is HELD once `daemon` has looked at it; its copy is to be put back.
fn about_to_be_held(world: &World) -> (String, Vec<u8>) {
    let stem = world.drop_sealed(&CsvFile::good("HELD", 1, 20_000));
    let mut daemon = world.daemon();
    world.wait_for(&mut daemon, &format!("{stem}.ack.json"));
    daemon.kill();
    let copy = world.at("work/00000001");
    let bytes = fs::read(&copy).unwrap();
    fs::write(&copy, [&bytes[..], b"x"].concat()).unwrap();
    (stem, bytes)
}

#[test]
fn a_held_file_calls_an_operator_once_and_says_when_it_goes_on() {
    let world = World::shaped(|shape| {
        shape.more = TELLS;
        shape.env = &[("PATH", "/usr/bin:/bin"), ("SECRET", "s3cret")];
    });
    let (stem, bytes) = about_to_be_held(&world);
    let daemon = world.daemon();
    until("told", || told(&world).len() == 1);
    let call = told(&world).remove(0);
    let keys: Vec<&String> = call.as_object().unwrap().keys().collect();
    assert_eq!(keys.len(), 9, "{call}");
    assert_eq!((&call["kind"], &call["state"]), (&"FILE_HELD".into(), &"raised".into()), "{call}");
    assert_eq!((&call["issuer"], &call["feed"]), (&"ACME".into(), &"acme-payment-cards".into()), "{call}");
    assert_eq!((&call["file"], &call["source"]), (&format!("{stem}.csv.jwe").into(), &Value::Null), "{call}");
    assert!(call["what"].as_str().unwrap().contains("copy"), "{call}");
    assert!(call["next"].as_str().unwrap().contains("nightdrop retry"), "{call}");
    let open = alarms(&world);
    assert_eq!((open.as_array().unwrap().len(), &open[0]["since"]), (1, &call["since"]), "{open}");
    assert_eq!(said(&daemon, "alarm_raised"), 1);
    // The shell adds some of its own.
    let environment = fs::read_to_string(world.at("env.txt")).unwrap();
    assert!(environment.contains("PATH\n") && !environment.contains("SECRET"), "{environment}");
    daemon.terminate(PATIENCE).expect(0);

    let daemon = world.daemon();
    fs::write(world.at("work/00000001"), &bytes).unwrap();
    world.nightdrop(&["retry", &stem, "--reason", "put back", "--config", "nightdrop.toml"]).expect(0);
    until("told of its end", || told(&world).len() == 2);
    assert_eq!(said(&daemon, "alarm_raised"), 0, "not a second time after a restart");
    let over = told(&world).remove(1);
    assert_eq!((&over["kind"], &over["state"]), (&"FILE_HELD".into(), &"cleared".into()), "{over}");
    assert_eq!(over["since"], call["since"]);
    assert_eq!(alarms(&world), Value::Array(Vec::new()));
    let human = world.nightdrop(&["status", "--config", "nightdrop.toml"]).expect(0);
    assert!(!human.text().contains("alarm"), "{}", human.text());
    daemon.terminate(PATIENCE).expect(0);
}

#[test]
fn a_command_that_fails_holds_nothing_up_is_said_once_and_tried_again() {
    let world = World::shaped(|shape| {
        shape.more = FAILS;
        shape.env = &[("PATH", "/usr/bin:/bin")];
    });
    about_to_be_held(&world);
    let mut daemon = world.daemon();
    until("said", || said(&daemon, "alarm_command_failed") == 1);
    let next = world.drop_sealed(&CsvFile::good("NEXT", 2, 10));
    world.wait_for(&mut daemon, &format!("{next}.summary.json"));
    assert_eq!(alarms(&world)[0]["kind"], "FILE_HELD");
    let human = world.nightdrop(&["status", "--config", "nightdrop.toml"]).expect(0);
    assert!(human.text().contains("alarm FILE_HELD since "), "{}", human.text());

    // A reload brings one that works; it is told of what was not told.
    let toml = fs::read_to_string(world.at("nightdrop.toml")).unwrap();
    world.write("nightdrop.toml", toml.replace(FAILS, TELLS));
    daemon.reload("reloaded");
    until("told", || told(&world).len() == 1);
    until("said", || said(&daemon, "alarm_command_recovered") == 1);
    assert_eq!(said(&daemon, "alarm_command_failed"), 1);
    daemon.terminate(PATIENCE).expect(0);
    assert_eq!(told(&world).len(), 1);
}
