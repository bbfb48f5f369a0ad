//! Fetch, process, deliver.

use std::fs;
use std::path::Path;

use super::Site;
use crate::world::sshd::Sshd;
use crate::world::{PATIENCE, Shape, files_under, until};

#[test]
fn a_file_is_fetched_processed_and_answered_on_the_server() {
    let site = Site::new();
    let (_, good) = site.put_good("N1", 1, 250);
    site.put("ACME_PAYCARDS_BAD.csv.jwe", "no token");
    site.put("ACME_PAYCARDS_LATER.csv.jwe.part", "no token");
    site.world.once().expect(3);

    let names: Vec<String> =
        ["ack.json", "recon.csv", "summary.json"].iter().map(|end| format!("{good}.{end}")).collect();
    for name in &names {
        let (here, there) = (site.world.out().at(name), site.delivered(name));
        assert_eq!(fs::read(here).unwrap(), fs::read(there).unwrap(), "{name}");
    }
    assert_eq!(site.world.out().recon(&good).trailer[1], 250);
    site.world.out().refused("ACME_PAYCARDS_BAD", "ENVELOPE_REFUSED");
    assert!(site.delivered("ACME_PAYCARDS_BAD.ack.json").exists());
    assert_eq!(site.there("in").len(), 4, "{:?}", site.there("in"));
    assert_eq!(site.there("out"), ["ACME_PAYCARDS_LATER.csv.jwe.part"], "what is done with is gone from there");

    // Nothing of it is done a second time.
    site.world.once().expect(0);
    assert_eq!(site.there("in").len(), 4);
}

#[test]
fn the_example_of_a_site_that_fetches_works_where_it_lies() {
    let env = |shape: &mut Shape| shape.env = &[("CREDENTIALS_DIRECTORY", "cred")];
    let Site { world, sshd } = Site::with(Sshd::new(), env, "");
    let at = |path: &str| world.at(path.trim_start_matches('/'));
    for place in ["/etc/nightdrop/keys", "/var/lib/nightdrop", "/run/nightdrop", "/srv/nightdrop", "/cred"] {
        fs::create_dir_all(at(place)).unwrap();
    }
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/sftp");
    for path in files_under(&example) {
        let to = at("/etc/nightdrop").join(path.strip_prefix(&example).unwrap());
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(path, to).unwrap();
    }
    // The same file under another root, with a server that is there.
    let text = fs::read_to_string(at("/etc/nightdrop/nightdrop.toml")).unwrap();
    let mut moved = text
        .replace("free_bytes = \"10GiB\"", "free_bytes = \"1MiB\"")
        .replace("settle = \"30s\"", "settle = \"100ms\"")
        .replace("host = \"sftp.acme.example\"", &format!("host = \"127.0.0.1\"\nport = {}", sshd.port))
        .replace("user = \"nightdrop\"", &format!("user = \"{}\"", Sshd::user()))
        .replace("SHA256:uNiVztksCsDhcc0u9e8BgrJXVGDzl5TRwIbXzqtJBBo", &sshd.fingerprint("host-ed25519"))
        .replace("\"/out\"", "\"out\"")
        .replace("\"/in\"", "\"in\"");
    for place in ["/etc/nightdrop", "/var/lib/nightdrop", "/run/nightdrop", "/srv/nightdrop"] {
        assert!(text.contains(place), "{place}");
        moved = moved.replace(&format!("\"{place}"), &format!("\"{}", at(place).display()));
        moved = moved.replace(&format!("sqlite:{place}"), &format!("sqlite:{}", at(place).display()));
    }
    fs::write(at("/etc/nightdrop/nightdrop.toml"), moved).unwrap();
    fs::copy(world.at("keys/kek.key"), at("/cred/nightdrop-kek")).unwrap();
    fs::write(at("/cred/acme-sftp"), sshd.user_key()).unwrap();
    for name in ["acme-2026", "acme-reply"] {
        let out = format!("etc/nightdrop/keys/{name}.jwk");
        world.nightdrop(&["keys", "new", "envelope", "--kid", name, "--out", &out]).expect(0);
    }
    let config = "etc/nightdrop/nightdrop.toml";
    world.nightdrop(&["config", "check", "--live", "--config", config]).expect(0);
    let sample = ["sample", "--service", "payment-cards", "--records", "20", "--config", config, "--out", "s.csv"];
    world.nightdrop(&sample).expect(0);
    world.nightdrop(&["seal", "s.csv", "--to", "etc/nightdrop/keys/acme-2026.pub.jwk", "--out", "s.jwe"]).expect(0);
    let there = sshd.files().join("out/ACME_PAYCARDS_1.csv.jwe");
    fs::copy(world.at("s.jwe"), &there).unwrap();
    world.nightdrop(&["once", "--config", config]).expect(0);
    let summary = fs::read(sshd.files().join("in/ACME_PAYCARDS_1.summary.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_slice(&summary).unwrap();
    assert_eq!(summary["outcomes"]["REGISTERED"], 20, "{summary}");
    assert!(sshd.files().join("in/ACME_PAYCARDS_1.recon.csv.jwe").exists() && !there.exists());
}

#[test]
fn a_dropped_files_answers_go_to_the_issuers_server_too_and_a_moved_one_lies_where_it_should() {
    let site = Site::with(Sshd::new(), |shape| shape.settle = "700ms", "after = \"move:processed\"");
    fs::create_dir(site.sshd.files().join("out/processed")).unwrap();
    fs::write(site.sshd.files().join("out/processed/ACME_PAYCARDS_M1.csv.jwe"), "an older one").unwrap();
    let stem = site.world.drop_sealed(&crate::file::CsvFile::good("DROPPED", 8, 3));
    let (name, moved) = site.put_good("M1", 9, 3);
    let ran = site.world.once().expect(0);
    for stem in [&stem, &moved] {
        assert!(site.delivered(&format!("{stem}.summary.json")).exists(), "{stem}: {:?}", site.there("in"));
    }
    assert_eq!(site.there("out/processed"), [name.clone(), format!("{name}.2")]);
    assert_eq!(site.there("out"), ["processed"]);
    assert!(!ran.stderr.contains("odd_entry"), "{}", ran.stderr);
    assert!(site.world.waiting().is_empty());
}

#[test]
fn the_morning_report_goes_out_to_the_server_too() {
    let site = Site::new();
    let (_, stem) = site.put_good("REPORTED", 10, 3);
    site.world.once().expect(0);
    assert!(site.delivered(&format!("{stem}.summary.json")).exists());
    // A day of the calendar, which is not over; nobody but a daemon or a batch run speaks to servers.
    let day = site.world.out().ack(&stem)["received_at"].as_str().unwrap()[..10].to_owned();
    site.world.nightdrop(&["report", "--date", &day, "--config", "nightdrop.toml"]).expect(0);
    let name = &format!("recon-ACME-{}.csv", day.replace('-', ""));
    assert!(!site.delivered(name).exists());
    site.world.once().expect(0);
    assert_eq!(fs::read(site.delivered(name)).unwrap(), fs::read(site.world.out().at(name)).unwrap());
    let report = fs::read_to_string(site.delivered(name)).unwrap();
    assert!(report.lines().nth(1).unwrap().contains(",ACCEPTED,"), "{report}");
    assert!(report.contains("TOTAL,register_closing,payment-cards,,,,,,,3,"), "{report}");
}

#[test]
fn a_report_of_every_second_tells_of_the_day_so_far() {
    let site = Site::new();
    let toml = fs::read_to_string(site.world.at("nightdrop.toml")).unwrap();
    site.world.write("nightdrop.toml", toml + "\n[report]\ndaily = \"* * * * * *\"\n");
    let mut daemon = site.world.daemon();
    let (_, stem) = site.put_good("SOFAR", 11, 3);
    site.world.wait_for(&mut daemon, &format!("{stem}.summary.json"));
    until("a report that tells of it", || {
        let reports = site.there("in").into_iter().filter(|name| name.starts_with("recon-ACME-"));
        let told = |name: &String| fs::read_to_string(site.delivered(name)).is_ok_and(|it| it.contains(",ACCEPTED,"));
        reports.into_iter().any(|name| told(&name))
    });
    daemon.terminate(PATIENCE).expect(0);
}
