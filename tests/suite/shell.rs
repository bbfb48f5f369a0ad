//! What surrounds the daemon on the command line: samples, schemas, examples, completions, the manual, and the README,
//! whose every command is run.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::file::CsvFile;
use crate::pan;
use crate::world::{World, files_under, names_in};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A line of shell in a directory, with the binary under test as `nightdrop`.
fn shell(dir: &Path, line: &str) -> Output {
    let bin = Path::new(env!("CARGO_BIN_EXE_nightdrop")).parent().unwrap();
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", bin.display());
    Command::new("bash").args(["-euo", "pipefail", "-c", line]).current_dir(dir).env("PATH", path).output().unwrap()
}

fn expect(dir: &Path, line: &str) -> String {
    let ran = shell(dir, line);
    let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{line}: {}\n{out}\n{err}", ran.status);
    out.into_owned()
}

/// The codes that `sample` says it made: `of them 3 PAN_LUHN, 2 ...`.
fn predicted(said: &str) -> BTreeMap<String, u64> {
    let Some((_, list)) = said.split_once("of them ") else { return BTreeMap::new() };
    let pair = |part: &str| {
        let (count, code) = part.trim().split_once(' ').unwrap();
        (code.to_owned(), count.parse().unwrap())
    };
    list.lines().next().unwrap().split(", ").map(pair).collect()
}

#[test]
fn samples_come_out_as_foretold() {
    for (format, extension, feed) in
        [("csv", "csv", ""), ("jsonl", "jsonl", ""), ("json", "json", "controls = \"optional\"")]
    {
        let world = World::shaped(|shape| {
            shape.reply = false;
            shape.feed = feed;
        });
        let args = |seed: &'static str| {
            [
                "sample",
                "--service",
                "payment-cards",
                "--records",
                "700",
                "--bad",
                "13",
                "--format",
                format,
                "--seed",
                seed,
            ]
            .into_iter()
            .chain(["--config", "nightdrop.toml"])
            .collect::<Vec<_>>()
        };
        let made = world.nightdrop(&args("5")).expect(0);
        assert_eq!(made.stdout, world.nightdrop(&args("5")).expect(0).stdout, "the same options, the same bytes");
        assert_ne!(made.stdout, world.nightdrop(&args("6")).expect(0).stdout);
        let codes = predicted(&made.stderr);
        assert!(codes.len() >= 9, "{codes:?}");
        assert_eq!(codes.values().sum::<u64>(), 91);
        world.drop_bytes(&format!("ACME_PAYCARDS_S.{extension}.jwe"), world.sealed(&made.text()));
        world.once().expect(4);
        let summary = world.out().summary("ACME_PAYCARDS_S");
        let found: BTreeMap<String, u64> = serde_json::from_value(summary["codes"].clone()).unwrap();
        assert_eq!(found, codes, "{format}");
        assert_eq!((&summary["records"], &summary["outcomes"]["REGISTERED"]), (&700.into(), &609.into()), "{format}");
    }
}

#[test]
fn samples_of_every_service_come_to_what_they_say() {
    let services = ["payment-cards", "pan-lists", "cards", "card-contracts", "click-to-pay"];
    let world = World::shaped(|shape| shape.services = services.to_vec());
    let nothing = world.nightdrop(&["sample", "--service", "payment-cards", "--records", "0"]).expect(0);
    assert_eq!(nothing.text().lines().count(), 3);
    for service in services {
        for format in ["csv", "jsonl"] {
            // Enrolments are by the contracts of the same seed.
            let seed = if format == "csv" { "5" } else { "6" };
            let asked = ["--service", service, "--records", "230", "--bad", "30", "--seed", seed, "--format", format];
            let made = world.nightdrop(&[&["sample", "--config", "nightdrop.toml"][..], &asked].concat()).expect(0);
            let name = format!("ACME_{}_{seed}.{format}.jwe", crate::world::kind(service));
            world.drop_bytes(&name, world.sealed(&made.text()));
            world.once().expect(4);
            let recon = world.out().recon(&format!("ACME_{}_{seed}", crate::world::kind(service)));
            let mut found = std::collections::BTreeMap::<&str, u32>::new();
            for row in recon.rows.iter().filter(|row| !row["code"].is_empty()) {
                *found.entry(&row["code"]).or_default() += 1;
            }
            let said = made.stderr.split("of them ").nth(1).unwrap_or_default().trim();
            let said: std::collections::BTreeMap<&str, u32> = said
                .split(", ")
                .map(|part| part.split_once(' ').map(|(count, code)| (code, count.parse().unwrap())).unwrap())
                .collect();
            let mut expected = said.clone();
            if service == "click-to-pay" {
                // Contracts that were made badly are not there.
                assert!(found.remove("CONTRACT_UNKNOWN") >= expected.remove("CONTRACT_UNKNOWN"), "{found:?}");
            }
            assert_eq!(found, expected, "{service} as {format}");
        }
    }
}

#[test]
fn completions_and_the_manual_name_every_command() {
    let world = World::new();
    let help = world.nightdrop(&["--help"]).expect(0).text();
    let commands = subcommands(&help);
    for shell_name in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let text = world.nightdrop(&["completions", shell_name]).expect(0).text();
        for command in &commands {
            assert!(text.contains(command.as_str()), "{shell_name} does not complete {command}");
        }
        if shell_name == "bash" {
            world.write("completions", &text);
            expect(world.path(), "bash -n completions");
        }
    }
    assert!(world.nightdrop(&["man"]).expect(0).text().contains(".TH nightdrop 1"));
    world.nightdrop(&["man", "--out", "man"]).expect(0);
    let pages = names_in(&world.at("man"));
    for command in &commands {
        assert!(pages.contains(&format!("nightdrop-{command}.1")), "no page of {command}: {pages:?}");
    }
}

/// The commands that a `--help` lists.
fn subcommands(help: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    names.filter_map(|line| line.split_whitespace().next()).filter(|it| *it != "help").map(str::to_owned).collect()
}

#[test]
fn every_key_is_explained_and_an_unknown_one_is_not() {
    let world = World::new();
    let all = world.nightdrop(&["config", "explain"]).expect(0).text();
    for key in ["daemon.socket", "retention.results", "feed.format", "vault.key_encryption_key (required)"] {
        assert!(all.contains(key), "{key}");
    }
    let one = world.nightdrop(&["config", "explain", "settle", "--json"]).expect(0);
    let one: Value = serde_json::from_slice(&one.stdout).unwrap();
    assert_eq!((&one[0]["key"], &one[0]["example"]), (&"daemon.settle".into(), &"\"5s\"".into()));
    let unknown = world.nightdrop(&["config", "explain", "setle"]).expect(2);
    assert!(unknown.stderr.contains("daemon.settle"), "{}", unknown.stderr);
}

#[test]
fn the_schemas_are_those_that_the_binary_makes() {
    let world = World::new();
    world.nightdrop(&["config", "schema", "--out", "schemas"]).expect(0);
    let (made, kept) = (world.at("schemas"), root().join("schemas"));
    assert_eq!(names_in(&made), names_in(&kept));
    for name in names_in(&made) {
        let differs = fs::read_to_string(made.join(&name)).unwrap() != fs::read_to_string(kept.join(&name)).unwrap();
        assert!(!differs, "schemas/{name}: make it anew with `nightdrop config schema --out schemas`");
    }
}

/// Validates files by the Python library: a list of [schema, file, one document a line].
fn validate(world: &World, files: &[(String, PathBuf)]) {
    const SCRIPT: &str = "import json, sys, tomllib\n\
        from jsonschema import Draft202012Validator as V\n\
        validators = {}\n\
        bad = 0\n\
        for schema, path in json.load(sys.stdin):\n\
        \x20   if schema not in validators:\n\
        \x20       s = json.load(open(schema)); V.check_schema(s)\n\
        \x20       validators[schema] = V(s, format_checker=V.FORMAT_CHECKER)\n\
        \x20   if path.endswith('.toml'): documents = [tomllib.load(open(path, 'rb'))]\n\
        \x20   elif path.endswith('.jsonl'): documents = [json.loads(line) for line in open(path)]\n\
        \x20   else: documents = [json.load(open(path))]\n\
        \x20   for document in documents:\n\
        \x20       for error in validators[schema].iter_errors(document):\n\
        \x20           bad += 1; print(path, list(error.absolute_path), error.validator, file=sys.stderr)\n\
        sys.exit(bad and 1)\n";
    let jobs: Vec<_> = files.iter().map(|(schema, path)| (root().join("schemas").join(schema), path.clone())).collect();
    world.write("jobs.json", serde_json::to_string(&jobs).unwrap());
    world.write("validate.py", SCRIPT);
    let python = crate::seal::python();
    expect(world.path(), &format!("{} validate.py < jobs.json", python.display()));
}

#[test]
fn every_outbound_json_fits_its_schema_by_another_languages_validator() {
    let world = World::shaped(|shape| shape.reply = false);
    let good = CsvFile::good("GOOD", 1, 3);
    world.drop_sealed(&good);
    world.once().expect(0);
    let cards = |text: &str| format!("{text}\n{{\"trailer\":{{\"records\":105}}}}\n");
    let header = r#"{"header":{"version":1,"issuer":"ACME","service":"payment-cards","batchId":"J","sequence":1,"created":"2026-11-20T01:30:00Z","environment":"TEST"}}"#;
    let many: Vec<_> = (0..101).map(|n| format!(r#"{{"id":"m{n}"}}"#)).collect();
    let lines = cards(&format!(
        "{header}\n{{\"id\":\"a\",\"fpan\":\"{}\",\"cardBaseCurrency\":\"EUR\"}}\n[{{\"id\":\"b\",\"fpan\":\"12\"}},{{\"fpan\":\"{}\",\"cardBaseCurrency\":\"EUR\"}}]\n[{}]\n[]",
        pan::pan(pan::ACME, 2, 1),
        pan::pan(pan::ACME, 1, 1),
        many.join(",")
    ));
    world.drop_bytes("ACME_PAYCARDS_J.jsonl.jwe", world.sealed(&lines));
    world.drop_bytes("ACME_PAYCARDS_BAD.csv.jwe", "not sealed");
    world.drop_bytes("NOBODYS.csv.jwe", "not sealed");
    world.drop_bytes("ACME_PAYCARDS_AGAIN.csv.jwe", world.sealed(&good.text()));
    world.drop_sealed(&CsvFile::new("NIL"));
    world.once().expect(3);
    let mut files = Vec::new();
    for path in files_under(&world.at("outbound")) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let kinds = [
            (".ack.json", "ack.schema.json"),
            (".summary.json", "summary.schema.json"),
            (".response.jsonl", "payment-cards.response.schema.json"),
        ];
        let Some((_, schema)) = kinds.iter().find(|(ending, _)| name.ends_with(ending)) else { continue };
        expect(world.path(), &format!("jq -e . outbound/{name} > /dev/null"));
        files.push(((*schema).to_owned(), path));
    }
    assert!(files.len() >= 10, "{files:?}");
    let all = lines.lines().collect::<Vec<_>>();
    world.write("control.jsonl", format!("{}\n{}\n", all[0], all[all.len() - 1]));
    world.write("requests.jsonl", all[1..all.len() - 1].join("\n") + "\n");
    files.push(("control-records.schema.json".into(), world.at("control.jsonl")));
    files.push(("payment-cards.records.schema.json".into(), world.at("requests.jsonl")));
    files.push(("configuration.schema.json".into(), world.at("nightdrop.toml")));
    for example in ["smallest", "production", "sftp"] {
        files.push(("configuration.schema.json".into(), root().join(format!("examples/{example}/nightdrop.toml"))));
    }
    let example = world.nightdrop(&["config", "example"]).expect(0).text();
    world.write("example.toml", example.replace("\n# card_products", "\ncard_products"));
    files.push(("configuration.schema.json".into(), world.at("example.toml")));
    validate(&world, &files);

    // And what is not so does not.
    world.write(
        "unknown.json",
        fs::read_to_string(world.out().at("NOBODYS.ack.json")).unwrap().replacen('{', "{\"more\":1,", 1),
    );
    world.write("wrong.toml", example.replace("settle = \"5s\"", "settle = 5"));
    for (schema, name) in [("ack.schema.json", "unknown.json"), ("configuration.schema.json", "wrong.toml")] {
        let jobs = vec![(root().join("schemas").join(schema), world.at(name))];
        world.write("jobs.json", serde_json::to_string(&jobs).unwrap());
        let ran = shell(world.path(), &format!("{} validate.py < jobs.json", crate::seal::python().display()));
        assert_eq!(ran.status.code(), Some(1), "{name} fits: {}", String::from_utf8_lossy(&ran.stderr));
    }
}

fn copy(from: &Path, to: &Path) {
    for path in files_under(from) {
        let target = to.join(path.strip_prefix(from).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(path, target).unwrap();
    }
}

#[test]
fn the_smallest_example_runs_as_its_page_says() {
    let dir = tempfile::tempdir().unwrap();
    copy(&root().join("examples/smallest"), dir.path());
    let page = fs::read_to_string(dir.path().join("README.md")).unwrap();
    let lines: Vec<_> = page.lines().filter_map(|line| line.strip_prefix("$ ")).collect();
    assert!(lines.len() >= 8);
    let said: Vec<_> = lines.iter().map(|line| expect(dir.path(), line)).collect();
    let summary: Value = serde_json::from_str(said.last().unwrap()).unwrap();
    assert_eq!((&summary["records"], &summary["outcomes"]["REJECTED"]), (&100.into(), &5.into()));
}

#[test]
fn the_production_example_is_right_where_it_lies() {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(path.trim_start_matches('/'));
    copy(&root().join("examples/production"), &at("/etc/nightdrop"));
    for place in ["/etc/nightdrop/keys", "/var/lib/nightdrop", "/run/nightdrop", "/srv/nightdrop/inbound/ACME", "/cred"]
    {
        fs::create_dir_all(at(place)).unwrap();
    }
    // The same file under another root.
    let text = fs::read_to_string(at("/etc/nightdrop/nightdrop.toml")).unwrap();
    let mut moved = text.replace("free_bytes = \"10GiB\"", "free_bytes = \"1MiB\"");
    for place in ["/etc/nightdrop", "/var/lib/nightdrop", "/run/nightdrop", "/srv/nightdrop"] {
        assert!(text.contains(place), "{place}");
        moved = moved.replace(&format!("\"{place}"), &format!("\"{}", at(place).display()));
        moved = moved.replace(&format!("sqlite:{place}"), &format!("sqlite:{}", at(place).display()));
    }
    fs::write(at("/etc/nightdrop/nightdrop.toml"), moved.replace("settle = \"10s\"", "settle = \"100ms\"")).unwrap();
    expect(dir.path(), "nightdrop keys new kek --out cred/nightdrop-kek");
    for (name, kid) in [
        ("acme-2026", "a26"),
        ("acme-2027", "a27"),
        ("globex-2026", "g26"),
        ("acme-reply", "ar"),
        ("globex-reply", "gr"),
    ] {
        expect(
            dir.path(),
            &format!("nightdrop keys new envelope --type ec --kid {kid} --out etc/nightdrop/keys/{name}.jwk"),
        );
    }
    // Card objects are sealed with RSA.
    expect(dir.path(), "nightdrop keys new envelope --type rsa --kid ae --out etc/nightdrop/keys/acme-enroll.jwk");
    let with = "CREDENTIALS_DIRECTORY=cred nightdrop";
    let config = "--config etc/nightdrop/nightdrop.toml";
    expect(dir.path(), &format!("{with} config check {config}"));
    let sample =
        format!("{with} sample --service payment-cards --records 20 --feed acme-payment-cards {config} --out s.csv");
    expect(dir.path(), &sample);
    let seal = "nightdrop seal s.csv --to etc/nightdrop/keys/acme-2027.pub.jwk";
    expect(dir.path(), &format!("{seal} --out srv/nightdrop/inbound/ACME/ACME_PAYCARDS_1.csv.jwe"));
    for (service, kind) in
        [("pan-lists", "PANLISTS"), ("cards", "CARDS"), ("click-to-pay", "CLICKTOPAY"), ("card-contracts", "CONTRACTS")]
    {
        expect(dir.path(), &format!("{with} sample --service {service} --records 20 {config} --out {kind}.csv"));
        let name = format!("ACME_{kind}_1.csv.jwe");
        let seal = format!("nightdrop seal {kind}.csv --to etc/nightdrop/keys/acme-2026.pub.jwk");
        expect(dir.path(), &format!("{seal} --out srv/nightdrop/inbound/ACME/{name}"));
    }
    expect(dir.path(), &format!("{with} once {config}"));
    for (kind, outcome) in
        [("PANLISTS", "REGISTERED"), ("CARDS", "REGISTERED"), ("CONTRACTS", "REGISTERED"), ("CLICKTOPAY", "ENROLLED")]
    {
        let summary = fs::read(at(&format!("/srv/nightdrop/outbound/ACME/ACME_{kind}_1.summary.json"))).unwrap();
        let summary: Value = serde_json::from_slice(&summary).unwrap();
        assert_eq!(summary["outcomes"][outcome], 20, "{kind}: {summary}");
    }
    let summary = fs::read(at("/srv/nightdrop/outbound/ACME/ACME_PAYCARDS_1.summary.json")).unwrap();
    let summary: Value = serde_json::from_slice(&summary).unwrap();
    assert_eq!(summary["outcomes"]["REGISTERED"], 20);
}

#[test]
fn the_readme_names_every_command_and_no_other() {
    let world = World::new();
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let table = readme.split("## Commands").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows: Vec<&str> = table.lines().filter_map(|line| line.strip_prefix("| `nightdrop ")).collect();
    let mut commands = subcommands(&world.nightdrop(&["--help"]).expect(0).text());
    for parent in ["keys", "keys new", "config", "audit", "sequence"] {
        commands.retain(|it| it != parent);
        let args: Vec<&str> = parent.split(' ').chain(["--help"]).collect();
        let inner = subcommands(&world.nightdrop(&args).expect(0).text());
        commands.extend(inner.iter().map(|it| format!("{parent} {it}")));
    }
    for command in &commands {
        let named = rows
            .iter()
            .any(|row| row.starts_with(command.as_str()) || row.replace('|', " ").contains(command.as_str()));
        assert!(named, "the README's table has no row for `nightdrop {command}`");
    }
    for row in rows {
        let named = commands.iter().any(|command| row.starts_with(command.as_str()));
        assert!(named, "no command is called so: {row:.40}");
        let line = row.split('`').next().unwrap();
        let command = commands.iter().filter(|it| row.starts_with(it.as_str())).max_by_key(|it| it.len()).unwrap();
        let args: Vec<&str> = command.split(' ').chain(["--help"]).collect();
        let help = world.nightdrop(&args).expect(0).text();
        for option in line.split(['[', ']', ' ']).filter(|word| word.starts_with("--")) {
            assert!(help.contains(option), "`nightdrop {command}` has no {option}");
        }
    }
}
