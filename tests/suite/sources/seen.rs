//! What an operator sees of partners' servers.

use std::fs;

use serde_json::Value;

use super::Site;
use crate::world::sshd::Sshd;

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
