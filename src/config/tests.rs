use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::model::{EnvelopeKind, Environment, Limits, OaepHash, Retention, ServiceName};
use crate::telemetry::LogFormat;
use std::time::Duration;

/// What is required, and nothing else.
const LEAST: &str = r#"
[store]
url = "sqlite:nightdrop.db"
[vault]
key_encryption_key = { credential = "kek" }
[reference]
account_ranges = "ranges.csv"
[[issuer]]
id = "ACME"
[[feed]]
name = "acme"
issuer = "ACME"
service = "payment-cards"
files = "ACME_*"
envelopes = ["jwe"]
keys = ["a.jwk"]
environment = "TEST"
"#;

fn parse(text: &str) -> Result<Config, Vec<Problem>> {
    Config::parse(text, Path::new("/etc/nightdrop/nightdrop.toml"))
}

/// The problems as `key: message`, without their lines.
fn problems(text: &str) -> Vec<String> {
    let words = |it: &Problem| Problem { line: None, ..it.clone() }.to_string();
    parse(text).map_or_else(|problems| problems.iter().map(words).collect(), |_| Vec::new())
}

/// [`LEAST`] with a second issuer and its feed.
fn two() -> String {
    let (_, issuer) = LEAST.split_once("[[issuer]]").unwrap();
    format!("{LEAST}\n[[issuer]]{}", issuer.replace("ACME", "BETA").replace("\"acme\"", "\"beta\""))
}

#[test]
fn what_is_not_written_is_as_documented() {
    let config = parse(LEAST).unwrap();
    let at = |path: &str| Path::new("/etc/nightdrop").join(path);
    let daemon = Daemon {
        work: at("work"),
        archive: at("archive"),
        quarantine: at("quarantine"),
        socket: at("nightdrop.sock"),
        settle: Duration::from_secs(5),
        stalled: Duration::from_secs(600),
        scan: Duration::from_secs(5),
        workers: 0,
        chunk_records: 100,
        chunks_in_flight: 64,
        group_records_max: 50_000,
        contact: None,
    };
    let issuer = Issuer {
        id: "ACME".into(),
        inbound: at("inbound"),
        outbound: at("outbound"),
        reply_key: None,
        reply_envelope: EnvelopeKind::Jwe,
        enroll_client_encryption_key: None,
        currencies: None,
        seal_sensitive_data: false,
    };
    let feed = Feed {
        name: "acme".into(),
        issuer: "ACME".into(),
        service: ServiceName::PaymentCards,
        files: "ACME_*".into(),
        envelopes: vec![EnvelopeKind::Jwe],
        keys: vec![SecretSource::File(at("a.jwk"))],
        format: Format::Auto,
        delimiter: b',',
        environment: Environment::Test,
        controls: Controls::Required,
        sequence: Sequence::Off,
        sequence_wait: Duration::from_secs(7_200),
        done_marker: false,
        d1_issuer_id: None,
        jws_key: None,
        after: Vec::new(),
        expected: None,
        allow_plaintext: false,
        oaep_hash: OaepHash::Sha256,
    };
    let expected = Config {
        file: at("nightdrop.toml"),
        sha256: Sha256::digest(LEAST).into(),
        environment: Environment::Test,
        daemon,
        limits: Limits::default(),
        retention: Retention::default(),
        store: Store { path: at("nightdrop.db"), cache_bytes: 64 << 20 },
        key_encryption_key: SecretSource::Credential("kek".into()),
        reference: Reference { account_ranges: at("ranges.csv"), card_products: None },
        daily: None,
        calendar: crate::calendar::Calendar { zone: jiff::tz::TimeZone::UTC, holidays: [].into() },
        alarm_command: None,
        log: LogFormat::Text,
        issuers: vec![issuer],
        feeds: vec![feed],
        sources: Vec::new(),
        warnings: Vec::new(),
    };
    assert_eq!(config, expected);
}

#[test]
fn the_example_is_right_and_shows_the_defaults_and_every_key() {
    let config = parse(EXAMPLE).unwrap();
    let least = parse(LEAST).unwrap();
    assert_eq!(config.daemon, Daemon { contact: Some("cards-ops@example.com".into()), ..least.daemon });
    assert_eq!((config.limits, config.store, config.log), (least.limits, least.store, least.log));
    assert_eq!(config.retention, least.retention);
    let feed = &config.feeds[0];
    assert_eq!(feed.keys.len(), 2);
    let defaults = Feed { keys: Vec::new(), name: String::new(), files: String::new(), ..least.feeds[0].clone() };
    assert_eq!(Feed { keys: Vec::new(), name: String::new(), files: String::new(), ..feed.clone() }, defaults);

    // Every key that is asked for stands in it, set or behind a `#`.
    let document = Document::new(EXAMPLE, Path::new("/"));
    let (table, _) = DeTable::parse_recoverable(EXAMPLE);
    let written = written::read(Section::root(&document, table.get_ref()), Purpose::Daemon);
    let asked = [&written.daemon_section, &written.issuers[0].section, &written.feeds[0].section, &written.root];
    let stands = |key: &str| {
        EXAMPLE.lines().any(|line| {
            let line = line.trim_start_matches("# ");
            line.starts_with(&format!("{key} = ")) || line == format!("[{key}]") || line == format!("[[{key}]]")
        })
    };
    for key in asked.iter().flat_map(|it| it.known()).chain([
        "card_products",
        "cache",
        "command",
        "daily",
        "timezone",
        "holidays",
        "log",
    ]) {
        assert!(stands(key), "{key}");
    }
}

#[test]
fn what_is_written_is_taken() {
    let text = LEAST
        .replace("[store]\n", "[daemon]\nwork = \"/var/w\"\nsettle = \"250ms\"\nstalled = \"0s\"\n[limits]\nline_bytes = 4096\ngrowth = 3\n[telemetry]\nlog = \"json\"\n[alarm]\ncommand = [\"page\", \"--json\"]\n[retention]\narchive = \"1d\"\nquarantine = \"36h\"\noutbound = \"2m\"\nresults = \"3s\"\n[store]\ncache = \"256MiB\"\n")
        .replace("sqlite:nightdrop.db", "sqlite:///var/lib/../n.db")
        .replace("{ credential = \"kek\" }", "{ command = [\"kms\", \"get\"] }")
        .replace("id = \"ACME\"", "id = \"ACME\"\ninbound = \"in/./x/../acme\"\ncurrencies = [\"eur\", \"USD\"]\nreply_key = { credential = \"r\" }")
        .replace("[\"jwe\"]", "[\"none\", \"jwe\"]\nallow_plaintext = true\ndelimiter = \"\\t\"\nsequence = \"gapless\"\ncontrols = \"optional\"\ndone_marker = true\nformat = \"csv\"");
    let config = parse(&text).unwrap();
    assert_eq!(config.daemon.work, Path::new("/var/w"));
    assert_eq!((config.daemon.settle, config.daemon.stalled), (Duration::from_millis(250), Duration::ZERO));
    assert_eq!((config.limits.line_bytes_max, config.limits.growth_max), (4096, 3));
    assert_eq!(config.log, LogFormat::Json);
    assert_eq!(config.alarm_command.as_deref().unwrap(), ["page", "--json"]);
    let Retention { archive, quarantine, outbound, results } = config.retention;
    assert_eq!([archive, quarantine, outbound, results].map(|it| it.as_secs()), [86_400, 129_600, 120, 3]);
    assert_eq!(config.store, Store { path: "/var/n.db".into(), cache_bytes: 256 << 20 });
    assert_eq!(config.key_encryption_key, SecretSource::Command(vec!["kms".into(), "get".into()]));
    let (issuer, feed) = (&config.issuers[0], &config.feeds[0]);
    assert_eq!(issuer.inbound, Path::new("/etc/nightdrop/in/acme"));
    assert_eq!(issuer.outbound, Path::new("/etc/nightdrop/outbound"));
    assert_eq!(issuer.currencies.as_deref().unwrap(), ["EUR", "USD"]);
    assert_eq!(issuer.reply_key, Some(SecretSource::Credential("r".into())));
    assert_eq!(feed.envelopes, [EnvelopeKind::None, EnvelopeKind::Jwe]);
    assert_eq!((feed.delimiter, feed.format), (b'\t', Format::Csv));
    assert_eq!((feed.sequence, feed.controls), (Sequence::Gapless, Controls::Optional));
    assert!(feed.done_marker && feed.allow_plaintext);
    assert_eq!(config.warnings.iter().map(|it| it.key.as_str()).collect::<Vec<_>>(), ["feed[0].allow_plaintext"]);
}

#[test]
fn several_issuers_have_a_directory_each_below_the_common_one() {
    let config = parse(&two()).unwrap();
    let beta = &config.issuers[1];
    assert_eq!(beta.inbound, Path::new("/etc/nightdrop/inbound/BETA"));
    assert_eq!(beta.outbound, Path::new("/etc/nightdrop/outbound/BETA"));
    assert_eq!(config.feeds_of("BETA").map(|it| it.name.as_str()).collect::<Vec<_>>(), ["beta"]);
}

/// A text of [`LEAST`], what replaces it, and the one problem this makes.
const MISTAKES: &[(&str, &str, &str)] = &[
    // Keys.
    ("[store]", "[stores]\n[store]", "stores: not a key of this version; did you mean `store`?"),
    ("[store]", "[retention]\narchive = \"0s\"\n[store]", "retention.archive: must be from 1000ms to 3660d"),
    ("[store]", "[retention]\nkeys = \"90d\"\n[store]", "retention.keys: not a key of this version"),
    (
        "[store]",
        "[daemon]\nsettel = \"5s\"\n[store]",
        "daemon.settel: not a key of this version; did you mean `settle`?",
    ),
    ("[store]", "[daemon]\nsocket_mode = \"s\"\n[store]", "daemon.socket_mode: not a key of this version"),
    ("[store]", "[telemetry]\nmetrics = \"m\"\n[store]", "telemetry.metrics: not a key of this version"),
    ("[store]", "[[kafka]]\nname = \"a\"\n[store]", "kafka: not a key of this version"),
    // Required.
    ("url = \"sqlite:nightdrop.db\"", "", "store.url: required, but absent"),
    ("key_encryption_key = { credential = \"kek\" }", "", "vault.key_encryption_key: required, but absent"),
    ("account_ranges = \"ranges.csv\"", "", "reference.account_ranges: required, but absent"),
    ("id = \"ACME\"", "", "issuer[0].id: required, but absent"),
    ("name = \"acme\"", "", "feed[0].name: required, but absent"),
    ("issuer = \"ACME\"", "", "feed[0].issuer: required, but absent"),
    ("service = \"payment-cards\"", "", "feed[0].service: required, but absent"),
    ("files = \"ACME_*\"", "", "feed[0].files: required, but absent"),
    ("envelopes = [\"jwe\"]", "", "feed[0].envelopes: required, but absent"),
    ("environment = \"TEST\"", "", "feed[0].environment: required, but absent"),
    (
        "keys = [\"a.jwk\"]",
        "",
        "feed[0].keys: required, but absent: only a feed whose envelopes are [\"none\"] needs no key, unless its cards are sealed (d1-batch)",
    ),
    // Kinds.
    ("[[issuer]]", "[issuer]", "issuer: expected one or more tables: write [[issuer]] instead of [issuer]"),
    ("[store]", "daemon = 5\n[store]", "daemon: expected a table, found an integer"),
    ("\"payment-cards\"", "5", "feed[0].service: expected a string, found an integer"),
    ("[\"jwe\"]", "\"jwe\"", "feed[0].envelopes: expected an array, found a string"),
    ("[\"a.jwk\"]", "[\"a.jwk\", 5]", "feed[0].keys[1]: expected a table, found an integer"),
    ("[\"a.jwk\"]", "[]", "feed[0].keys: must not be empty"),
    ("[\"a.jwk\"]", "[\"\"]", "feed[0].keys[0]: must not be empty"),
    ("\"ranges.csv\"", "\"ran\\u0007ges.csv\"", "reference.account_ranges: holds a control character"),
    (
        "name = \"acme\"",
        "name = \"acme\"\ndone_marker = \"yes\"",
        "feed[0].done_marker: expected true or false, found a string",
    ),
    // Values.
    (
        "[store]",
        "[daemon]\nsettle = 5\n[store]",
        "daemon.settle: expected a duration with its unit: ms, s, m, h or d, such as \"250ms\", \"5s\" or \"10m\"",
    ),
    ("[store]", "[daemon]\nscan = \"0s\"\n[store]", "daemon.scan: must be from 1ms to 3660d"),
    ("[store]", "[daemon]\nchunk_records = 101\n[store]", "daemon.chunk_records: must be from 1 to 100"),
    ("[store]", "[daemon]\nchunk_records = 0\n[store]", "daemon.chunk_records: must be from 1 to 100"),
    ("[store]", "[daemon]\nworkers = -1\n[store]", "daemon.workers: must be from 0 to 1024"),
    ("[store]", "[daemon]\nworkers = 99999999999999999999\n[store]", "daemon.workers: must be from 0 to 1024"),
    ("[store]", "[daemon]\nworkers = 1.5\n[store]", "daemon.workers: expected a whole number, found a float"),
    (
        "[store]",
        "[limits]\nfile_bytes = \"8G\"\n[store]",
        "limits.file_bytes: expected a number of bytes with its unit: KiB, MiB, GiB, TiB, kB, MB, GB or TB, such as \"64KiB\"",
    ),
    ("[store]", "[limits]\nline_bytes = \"1GiB\"\n[store]", "limits.line_bytes: must be from 64B to 16MiB"),
    ("[store]", "[telemetry]\nlog = \"xml\"\n[store]", "telemetry.log: must be \"json\" or \"text\""),
    ("sqlite:nightdrop.db", "postgres://db/n", "store.url: this version stores in SQLite alone: write \"sqlite:PATH\""),
    ("sqlite:nightdrop.db", "nightdrop.db", "store.url: must be \"sqlite:PATH\""),
    ("sqlite:nightdrop.db", "sqlite:", "store.url: names no file: write \"sqlite:PATH\""),
    (
        "sqlite:nightdrop.db",
        "sqlite::memory:",
        "store.url: a store in memory would lose every card: write \"sqlite:PATH\"",
    ),
    ("sqlite:nightdrop.db", "sqlite:n.db?mode=ro", "store.url: takes no options after the path"),
    (
        "{ credential = \"kek\" }",
        "{ }",
        "vault.key_encryption_key: must be a path, or a table with one of: file, credential, command",
    ),
    (
        "{ credential = \"kek\" }",
        "{ credential = \"kek\", file = \"k\" }",
        "vault.key_encryption_key: must be a path, or a table with one of: file, credential, command",
    ),
    (
        "{ credential = \"kek\" }",
        "{ credential = \"../kek\" }",
        "vault.key_encryption_key.credential: must be the name of a credential, not a path",
    ),
    ("{ credential = \"kek\" }", "{ command = [] }", "vault.key_encryption_key.command: must not be empty"),
    ("[\"a.jwk\"]", "[{ command = [\"kms\"], file = \"f\" }]", "feed[0].keys[0].command: not a key of this version"),
    (
        "id = \"ACME\"",
        "id = \"ACME\"\nreply_envelope = \"openpgp\"",
        "issuer[0].reply_envelope: this version does not serve \"openpgp\" yet; it knows \"jwe\"",
    ),
    (
        "id = \"ACME\"",
        "id = \"ACME\"\ncurrencies = [\"EUR\", \"HRK\"]",
        "issuer[0].currencies[1]: must be the three letters of an active ISO 4217 currency",
    ),
    ("id = \"ACME\"", "id = \"acme\"", "issuer[0].id: must be 1 to 16 of A-Z, 0-9 and _"),
    ("id = \"ACME\"", "id = \"A2345678901234567\"", "issuer[0].id: must be 1 to 16 of A-Z, 0-9 and _"),
    ("payment-cards", "card-contracts", "feed[0].service: needs card_products in [reference]"),
    ("id = \"ACME\"", "id = \"ACME\"\nseal_sensitive_data = true", "issuer[0].seal_sensitive_data: needs a reply_key"),
    ("name = \"acme\"", "name = \"acme\"\nafter = [\"other\"]", "feed[0].after: no [[feed]] has the name other"),
    (
        "name = \"acme\"",
        "name = \"acme\"\nafter = [\"acme\"]",
        "feed[0].after: acme waits for this feed itself, so that neither would ever be taken",
    ),
    ("name = \"acme\"", "name = \"-a\"", "feed[0].name: must not begin with a dash"),
    ("name = \"acme\"", "name = \"a b\"", "feed[0].name: must be 1 to 64 of A-Z, a-z, 0-9, _, . and -"),
    (
        "[\"jwe\"]",
        "[\"jwe\", \"openpgp\"]",
        "feed[0].envelopes[1]: this version does not serve \"openpgp\" yet; it knows \"jwe\" or \"mastercard\" or \"none\"",
    ),
    (
        "name = \"acme\"",
        "name = \"acme\"\noaep_hash = \"SHA512\"",
        "feed[0].oaep_hash: applies to envelopes that hold \"mastercard\" alone",
    ),
    ("[\"jwe\"]", "[\"mastercard\"]\noaep_hash = \"SHA1\"", "feed[0].oaep_hash: must be \"SHA256\" or \"SHA512\""),
    (
        "name = \"acme\"",
        "name = \"acme\"\nformat = \"d1-batch\"\nd1_issuer_id = \"A1\"",
        "feed[0].format: is \"d1-batch\", which brings cards: it needs service = \"cards\"",
    ),
    (
        "name = \"acme\"",
        "name = \"acme\"\nd1_issuer_id = \"A\"",
        "feed[0].d1_issuer_id: applies to format = \"d1-batch\" alone",
    ),
    (
        "name = \"acme\"",
        "name = \"acme\"\njws_key = \"a.jwk\"",
        "feed[0].jws_key: applies to format = \"d1-batch\" alone",
    ),
    (
        "name = \"acme\"",
        "name = \"acme\"\nformat = \"json\"",
        "feed[0].format: is \"json\", which has no control records: it needs controls = \"optional\"",
    ),
    (
        "name = \"acme\"",
        "name = \"acme\"\ndelimiter = \"a\"",
        "feed[0].delimiter: must be one ASCII character: a tab, a space or a sign, but no quote, letter or digit",
    ),
    (
        "name = \"acme\"",
        "name = \"acme\"\ndelimiter = \"\\\"\"",
        "feed[0].delimiter: must be one ASCII character: a tab, a space or a sign, but no quote, letter or digit",
    ),
    (
        "name = \"acme\"",
        "name = \"acme\"\ndelimiter = \";;\"",
        "feed[0].delimiter: must be one ASCII character: a tab, a space or a sign, but no quote, letter or digit",
    ),
    (
        "name = \"acme\"",
        "name = \"acme\"\ncontrols = \"none\"",
        "feed[0].controls: must be \"required\" or \"optional\"",
    ),
    (
        "name = \"acme\"",
        "name = \"acme\"\nsequence = \"on\"",
        "feed[0].sequence: must be \"off\" or \"increasing\" or \"gapless\"",
    ),
    ("\"TEST\"", "\"test\"", "feed[0].environment: must be \"TEST\" or \"PROD\""),
    ("ACME_*", "ACME_[", "feed[0].files: not a pattern for names: unclosed character class; missing ']'"),
    ("ACME_*", "in/*", "feed[0].files: matches names of files, which hold no slash"),
    // What goes together.
    ("issuer = \"ACME\"", "issuer = \"BETA\"", "feed[0].issuer: no [[issuer]] has this id"),
    ("[\"jwe\"]", "[\"none\"]", "feed[0].envelopes: holds \"none\", which needs allow_plaintext = true"),
    (
        "\"TEST\"",
        "\"PROD\"\nallow_plaintext = true",
        "feed[0].allow_plaintext: must not be true with environment \"PROD\"",
    ),
    (
        "[\"jwe\"]\nkeys = [\"a.jwk\"]\nenvironment = \"TEST\"",
        "[\"none\"]\nenvironment = \"PROD\"",
        "feed[0].envelopes: must not hold \"none\" with environment \"PROD\"",
    ),
    // Places.
    (
        "[store]",
        "[daemon]\nwork = \"outbound\"\n[store]",
        "daemon.work: /etc/nightdrop/outbound is daemon.outbound too; each needs a directory of its own",
    ),
    (
        "[store]",
        "[daemon]\narchive = \"./inbound/a\"\n[store]",
        "daemon.archive: /etc/nightdrop/inbound/a lies inside daemon.inbound; each needs a directory of its own",
    ),
    (
        "id = \"ACME\"",
        "id = \"ACME\"\ninbound = \"in\"\noutbound = \"in/out\"",
        "issuer[0].outbound: /etc/nightdrop/in/out lies inside issuer[0].inbound; each needs a directory of its own",
    ),
    (
        "[store]",
        "[daemon]\nwork = \"w/w\"\nquarantine = \"w\"\n[store]",
        "daemon.quarantine: /etc/nightdrop/w holds daemon.work; each needs a directory of its own",
    ),
    ("sqlite:nightdrop.db", "sqlite:inbound/n.db", "store.url: lies inside daemon.inbound, which a partner can reach"),
    (
        "{ credential = \"kek\" }",
        "\"outbound/kek\"",
        "vault.key_encryption_key: lies inside daemon.outbound, which a partner can reach",
    ),
];

#[test]
fn each_mistake_is_named_once_with_its_key_path() {
    for (text, instead, expected) in MISTAKES {
        assert_eq!(LEAST.matches(text).count(), 1, "{text} must stand in the text once");
        assert_eq!(problems(&LEAST.replace(text, instead)), [*expected], "{instead}");
    }
}

#[test]
fn mistakes_between_issuers_and_feeds_are_named() {
    let two = two();
    for (text, instead, expected) in [
        ("id = \"BETA\"", "id = \"ACME\"", "issuer[1].id: another issuer has this id"),
        ("name = \"beta\"", "name = \"acme\"", "feed[1].name: another feed has this name"),
        (
            "issuer = \"BETA\"",
            "issuer = \"ACME\"\nsequence = \"of\"",
            "feed[1].sequence: must be \"off\" or \"increasing\" or \"gapless\"",
        ),
        (
            "id = \"BETA\"",
            "id = \"BETA\"\noutbound = \"outbound/ACME\"",
            "issuer[1].outbound: /etc/nightdrop/outbound/ACME is issuer[0].outbound too; each needs a directory of its own",
        ),
        (
            "id = \"BETA\"",
            "id = \"BETA\"\ninbound = \"inbound\"",
            "issuer[1].inbound: /etc/nightdrop/inbound holds issuer[0].inbound; each needs a directory of its own",
        ),
    ] {
        assert_eq!(two.matches(text).count(), 1, "{text} must stand in the text once");
        let found: Vec<_> =
            problems(&two.replace(text, instead)).into_iter().filter(|it| !it.contains("no [[issuer]]")).collect();
        assert_eq!(found, [expected], "{instead}");
    }
    let mixed = format!("{}\"PROD\"\n", two.strip_suffix("\"TEST\"\n").unwrap());
    assert_eq!(
        problems(&mixed),
        ["feed[1].environment: an earlier feed has TEST, and one database holds one of the two"]
    );
}

#[test]
fn links_do_not_hide_a_shared_directory() {
    let here = tempfile::tempdir().unwrap();
    fs::create_dir(here.path().join("inbound")).unwrap();
    std::os::unix::fs::symlink("inbound", here.path().join("outbound")).unwrap();
    let file = here.path().join("nightdrop.toml");
    fs::write(&file, LEAST).unwrap();
    let found = Config::load(&file).unwrap_err();
    assert_eq!(found.len(), 1);
    assert!(found[0].message.contains("is daemon.inbound too"), "{}", found[0]);
}

#[test]
fn all_problems_come_at_once_in_the_order_of_the_file() {
    let text = "[daemon]\nsettle = \"5\"\nnonsense = 1\n[store]\nurl = \"mysql:x\"\n[[issuer]]\nid = \"A\"\n\
                [[feed]]\nname = \"a\"\nissuer = \"A\"\nservice = \"payment-cards\"\nfiles = \"*\"\n\
                envelopes = [\"jwe\"]\nkeys = [\"\", 1]\nenvironment = \"LIVE\"\n";
    let found: Vec<_> = parse(text).unwrap_err().into_iter().map(|it| (it.line, it.key)).collect();
    let expected = [
        (None, "reference.account_ranges"),
        (None, "vault.key_encryption_key"),
        (Some(2), "daemon.settle"),
        (Some(3), "daemon.nonsense"),
        (Some(5), "store.url"),
        (Some(14), "feed[0].keys[0]"),
        (Some(14), "feed[0].keys[1]"),
        (Some(15), "feed[0].environment"),
    ];
    assert_eq!(found, expected.map(|(line, key)| (line, key.to_owned())));
}

#[test]
fn an_empty_file_is_told_everything_it_lacks() {
    assert_eq!(
        problems(""),
        [
            "feed: at least one [[feed]] is required",
            "issuer: at least one [[issuer]] is required",
            "reference.account_ranges: required, but absent",
            "store.url: required, but absent",
            "vault.key_encryption_key: required, but absent",
        ]
    );
}

#[test]
fn what_is_not_toml_is_named_by_line_and_never_repeated() {
    let found = parse("[store]\nurl = 'hidden\n[vault\n").unwrap_err();
    assert!(found.len() > 1, "{found:?}");
    for problem in &found {
        assert!(problem.line.is_some() && !problem.message.contains("hidden"), "{problem}");
    }
    let found = parse("[store]\nurl = \"sqlite:a\"\nurl = \"sqlite:b\"\n").unwrap_err();
    assert_eq!(found[0].to_string(), "not TOML: duplicate key (line 3)");
}

#[test]
fn a_file_that_cannot_be_read_is_one_problem() {
    let found = Config::load(Path::new("/nowhere/nightdrop.toml")).unwrap_err();
    assert_eq!(found.len(), 1);
    assert!(found[0].to_string().starts_with("cannot read /nowhere/nightdrop.toml: "), "{}", found[0]);
}

#[test]
fn check_reads_every_key_and_says_which_fail() {
    let here = tempfile::tempdir().unwrap();
    let text = LEAST
        .replace("id = \"ACME\"", "id = \"ACME\"\nreply_key = \"reply.jwk\"")
        .replace("[\"a.jwk\"]", "[\"a.jwk\", { credential = \"b\" }]")
        .replace("\"ranges.csv\"", "\"ranges.csv\"\ncard_products = \"products.csv\"");
    fs::write(here.path().join("nightdrop.toml"), text).unwrap();
    let config = Config::load(&here.path().join("nightdrop.toml")).unwrap();
    let keys = |found: &[String]| found.iter().map(|it| it.split(": ").next().unwrap().to_owned()).collect::<Vec<_>>();
    // Each judge knows its own content and no other's.
    let is = |right: &'static str| {
        move |bytes: &[u8]| if bytes == right.as_bytes() { Ok(()) } else { Err(format!("not a {right}")) }
    };
    let mistakes = |right: &'static str| move |bytes: &[u8]| is(right)(bytes).err().into_iter().collect();
    let (kek, private_key, public_key, ssh_key) = (is("kek"), is("private"), is("public"), is("ssh"));
    // Content that another kind of private key has.
    let is_rsa = |bytes: &[u8]| bytes == b"private";
    let (account_ranges, card_products) = (mistakes("ranges"), mistakes("products"));
    let judges = check::Judges {
        kek: &kek,
        private_key: &private_key,
        is_rsa: &is_rsa,
        public_key: &public_key,
        ssh_key: &ssh_key,
        account_ranges: &account_ranges,
        card_products: &card_products,
    };
    let expected = [
        "vault.key_encryption_key",
        "issuer[0].reply_key",
        "feed[0].keys[0]",
        "feed[0].keys[1]",
        "reference.account_ranges",
        "reference.card_products",
    ];

    let absent = check::check(&config, &Surroundings::default(), &judges);
    assert_eq!(keys(&absent.problems), expected);
    assert!(absent.problems[3].contains("CREDENTIALS_DIRECTORY"), "{}", absent.problems[3]);

    let write = |name: &str, content: &str| fs::write(here.path().join(name), content).unwrap();
    let files = [("kek", "kek"), ("reply.jwk", "public"), ("a.jwk", "private"), ("b", "private")];
    let files = files.into_iter().chain([("ranges.csv", "ranges"), ("products.csv", "products")]);
    let with = Surroundings { credentials_dir: Some(here.path().to_owned()), path: None };
    files.clone().for_each(|(name, _)| write(name, "other"));
    let wrong = check::check(&config, &with, &judges).problems;
    assert_eq!(keys(&wrong), expected);
    assert!(wrong[0].ends_with("not a kek") && wrong[4].ends_with("not a ranges"), "{wrong:?}");

    files.for_each(|(name, content)| write(name, content));
    let mode =
        |name: &str, mode| fs::set_permissions(here.path().join(name), fs::Permissions::from_mode(mode)).unwrap();
    mode("reply.jwk", 0o644);
    mode("b", 0o644);
    mode("a.jwk", 0o640);
    let found = check::check(&config, &with, &judges);
    assert_eq!((found.problems, keys(&found.warnings)), (Vec::new(), vec!["feed[0].keys[0]".to_owned()]));
    mode("a.jwk", 0o400);
    assert_eq!(check::check(&config, &with, &judges), check::Findings::default());

    // A feed whose envelope is for RSA keys needs one of them.
    let mut config = config;
    config.feeds[0].envelopes.push(EnvelopeKind::Mastercard);
    assert_eq!(check::check(&config, &with, &judges), check::Findings::default());
    let none = check::Judges { is_rsa: &|_| false, ..judges };
    let problems = check::check(&config, &with, &none).problems;
    assert_eq!(problems, ["feed[0].keys: none is an RSA key, which the envelope \"mastercard\" needs"]);
}

#[test]
fn two_feeds_with_one_pattern_are_warned_of() {
    let text = two().replace("issuer = \"BETA\"\nservice", "issuer = \"ACME\"\nservice").replace("BETA_*", "ACME_*");
    let warnings = parse(&text).unwrap().warnings;
    assert!(warnings.iter().any(|it| it.key == "feed[1].files"), "{warnings:?}");
}

#[test]
fn production_with_a_key_on_the_disk_is_warned_of() {
    let text = LEAST.replace("{ credential = \"kek\" }", "\"kek\"").replace("\"TEST\"", "\"PROD\"");
    let warnings = parse(&text).unwrap().warnings;
    let found: Vec<_> = warnings.iter().map(|it| it.key.as_str()).collect();
    assert_eq!(found, ["vault.key_encryption_key", "issuer[0].reply_key"]);
    assert_eq!(parse(LEAST).unwrap().warnings, []);
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(cuts in proptest::collection::vec((0..EXAMPLE.len(), "\\PC{0,6}"), 0..4)) {
        let mut text = EXAMPLE.to_owned();
        for (at, instead) in cuts {
            let at = text.floor_char_boundary(at.min(text.len()));
            let end = text.ceil_char_boundary((at + 3).min(text.len()));
            text.replace_range(at..end, &instead);
        }
        if let Err(problems) = parse(&text) {
            proptest::prop_assert!(!problems.is_empty());
        }
    }
}
