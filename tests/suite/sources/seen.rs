//! What an operator sees of partners' servers.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::Site;
use crate::world::sshd::Sshd;
use crate::world::{PATIENCE, until};

#[test]
fn a_live_check_tries_everything_and_says_what_does_not_work() {
    let site = Site::new();
    let checked = || site.world.nightdrop(&["config", "check", "--live", "--config", "nightdrop.toml"]);
    let said = checked().expect(0).text();
    for part in [
        "sftp acme: 127.0.0.1",
        "logs in, lists out (0 entries), writes and renames in in",
        "keys[0]: ",
        "opens a test file, as feed-1",
        "issuer ACME: outbound: ",
        "store: ",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_eq!(site.there("in"), [""; 0], "the probe is gone again");
    let json: Value = serde_json::from_str(
        &site.world.nightdrop(&["config", "check", "--live", "--json", "--config", "nightdrop.toml"]).expect(0).text(),
    )
    .unwrap();
    assert!(json["live"].as_array().unwrap().iter().all(|it| it["ok"] == true), "{json}");

    fs::remove_dir(site.sshd.files().join("in")).unwrap();
    let ran = checked().expect(1);
    assert!(ran.stderr.contains("\"in/") && ran.stderr.contains("does not exist"), "{}", ran.stderr);

    // Another server answers there: nothing is exchanged with it.
    let toml = fs::read_to_string(site.world.at("nightdrop.toml")).unwrap();
    let pinned = site.sshd.fingerprint("host-ed25519");
    let other = Sshd::new().fingerprint("host-ed25519");
    site.world.write("nightdrop.toml", toml.replace(&pinned, &other));
    let ran = checked().expect(1);
    assert!(ran.stderr.contains("shows the host key") && ran.stderr.contains(&pinned), "{}", ran.stderr);
    site.world.write("nightdrop.toml", toml.replace(&pinned, "MD5:16:27:ac"));
    checked().expect(2);
}

#[test]
fn a_file_is_shown_with_where_it_came_from_and_what_was_delivered_when() {
    let site = Site::new();
    let (_, stem) = site.put_good("SHOWN", 2, 3);
    site.world.once().expect(0);
    let shown = site.world.nightdrop(&["show", &stem, "--json", "--config", "nightdrop.toml"]).expect(0).text();
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["source"], "acme");
    let deliveries = shown["deliveries"].as_array().unwrap();
    let names: Vec<_> = deliveries.iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["ack.json", "recon.csv", "summary.json"].map(|end| format!("{stem}.{end}")));
    assert!(deliveries.iter().all(|it| it["delivered_at"].is_string()), "{deliveries:?}");
    let said = site.world.nightdrop(&["show", &stem, "--config", "nightdrop.toml"]).expect(0).text();
    assert!(said.contains("source        acme") && said.contains("summary.json to acme: delivered 20"), "{said}");

    // Delivered again, the journal has both.
    fs::remove_file(site.delivered(&format!("{stem}.recon.csv"))).unwrap();
    site.world.nightdrop(&["redeliver", &stem, "--config", "nightdrop.toml"]).expect(0);
    site.world.once().expect(0);
    assert!(site.delivered(&format!("{stem}.recon.csv")).exists());
    let shown = site.world.nightdrop(&["show", &stem, "--json", "--config", "nightdrop.toml"]).expect(0).text();
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["deliveries"].as_array().unwrap().len(), 6, "{shown}");
}

#[test]
fn status_shows_how_it_stands_with_each_source_and_calls_once() {
    let mut site = Site::new();
    let status = |site: &Site| -> Value {
        let ran = site.world.nightdrop(&["status", "--json", "--config", "nightdrop.toml"]).expect(0);
        serde_json::from_str(&ran.text()).unwrap()
    };
    let source = |site: &Site| status(site)["sources"][0].clone();
    let alarms = |site: &Site| -> Vec<String> {
        let alarms = status(site)["alarms"].clone();
        alarms.as_array().unwrap().iter().map(|it| it["kind"].as_str().unwrap().to_owned()).collect()
    };
    let mut daemon = site.world.daemon();
    until("contact", || source(&site)["state"] == "ok");
    let well = source(&site);
    assert_eq!((&well["source"], &well["issuer"], &well["backlog"]), (&"acme".into(), &"ACME".into(), &0.into()));
    assert!(well["last_contact_at"].is_string() && well["next_poll_at"].is_string(), "{well}");
    assert_eq!(alarms(&site), [""; 0]);

    // The directory of the answers goes: a file is processed all the same, and its answers wait.
    fs::remove_dir(site.sshd.files().join("in")).unwrap();
    let (_, stem) = site.put_good("WAITS", 3, 3);
    site.world.wait_for(&mut daemon, &format!("{stem}.summary.json"));
    until("the fault", || source(&site)["state"] == "missing");
    until("the backlog", || source(&site)["backlog"] == 3);
    until("the alarm", || alarms(&site) == ["DELIVERY_FAILED"]);
    let said = site.world.nightdrop(&["status", "--config", "nightdrop.toml"]).expect(0).text();
    assert!(said.contains("source acme: missing since ") && said.contains("3 to deliver"), "{said}");
    fs::create_dir(site.sshd.files().join("in")).unwrap();
    until("the answers", || site.delivered(&format!("{stem}.summary.json")).exists());
    until("all is well", || source(&site)["state"] == "ok" && alarms(&site).is_empty());

    // Another key: nothing more is exchanged, and it resumes when the right one is back.
    let open = site.sshd.connections();
    site.sshd.restart(|sshd| {
        fs::rename(sshd.path("host-ed25519"), sshd.path("kept")).unwrap();
        sshd.keygen("other", "ed25519");
        fs::copy(sshd.path("other"), sshd.path("host-ed25519")).unwrap();
    });
    for pid in open {
        let _ = kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL);
    }
    until("the alarm", || alarms(&site) == ["SOURCE_HOST_KEY"]);
    assert_eq!(source(&site)["state"], "host key changed");
    site.sshd.restart(|sshd| fs::rename(sshd.path("kept"), sshd.path("host-ed25519")).unwrap());
    until("all is well", || source(&site)["state"] == "ok" && alarms(&site).is_empty());
    let log = daemon.terminate(PATIENCE).expect(0).stderr;
    assert_eq!(log.matches("\"alarm_raised\"").count(), 2, "{log}");
    assert_eq!(log.matches("\"alarm_cleared\"").count(), 2, "{log}");
}
