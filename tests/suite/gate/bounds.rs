//! What is refused is refused cheaply: at most 64 MiB and 100 ms a token, measured on the process that refuses it.

use std::io::Write as _;
use std::net::TcpListener;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::file::CsvFile;
use crate::seal::python;
use crate::world::World;

use super::rows::{odd_but_good, rows};

const MEMORY_KIB_MAX: u64 = 64 << 10;
const CPU_SECONDS_MAX: f64 = 0.1;

/// Runs each command so many times: exit code, words, the most memory and the least processor time of them.
pub(super) fn measured(world: &World, commands: &[Vec<String>], times: usize) -> Vec<Value> {
    const SCRIPT: &str = r#"
import json, os, sys, tempfile
def run(argv):
    with tempfile.TemporaryFile() as said:
        files = [(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0), (os.POSIX_SPAWN_DUP2, said.fileno(), 2)]
        _, status, used = os.wait4(os.posix_spawn(argv[0], argv, {}, file_actions=files), 0)
        said.seek(0)
        return os.waitstatus_to_exitcode(status), said.read().decode(), used.ru_maxrss, used.ru_utime + used.ru_stime
for argv in json.load(sys.stdin):
    runs = [run(argv) for _ in range(int(sys.argv[1]))]
    code, said = runs[0][:2]
    assert all(it[:2] == (code, said) for it in runs), runs
    print(json.dumps({"code": code, "said": said, "kib": max(it[2] for it in runs), "cpu": min(it[3] for it in runs)}))
"#;
    let mut child = Command::new(python())
        .args(["-c", SCRIPT, &times.to_string()])
        .current_dir(world.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&serde_json::to_vec(commands).unwrap()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn unseal(world: &World, names: &[(String, &str)]) -> Vec<Value> {
    let key = |key: &str| world.at(&format!("keys/{key}.jwk")).to_str().unwrap().to_owned();
    let commands: Vec<Vec<String>> = names
        .iter()
        .map(|(name, with)| {
            vec![env!("CARGO_BIN_EXE_nightdrop").into(), "unseal".into(), name.clone(), "--key".into(), key(with)]
        })
        .collect();
    measured(world, &commands, 3)
}

#[test]
fn each_row_is_refused_within_64_mib_and_100_ms() {
    let world = World::new();
    let rows = rows(&world, b"a card", true);
    let mut names = Vec::new();
    for (n, row) in rows.iter().enumerate() {
        let name = format!("{n}.jwe");
        world.write(&name, &row.token);
        let of_curve = row.token.split('.').next().and_then(|it| base64_simd::URL_SAFE_NO_PAD.decode_to_vec(it).ok());
        let of_curve = of_curve.is_some_and(|it| String::from_utf8_lossy(&it).contains("feed-2"));
        names.push((name, if of_curve { "feed-ec" } else { "feed" }));
    }
    let mut worst = (0, 0.0_f64);
    for (row, ran) in rows.iter().zip(unseal(&world, &names)) {
        assert_eq!(ran["code"], json!(3), "{}: {ran}", row.what);
        assert!(ran["said"].as_str().unwrap().contains(row.code), "{}: {ran}", row.what);
        let (kib, cpu) = (ran["kib"].as_u64().unwrap(), ran["cpu"].as_f64().unwrap());
        assert!(kib > 0 && kib <= MEMORY_KIB_MAX, "{}: {kib} KiB", row.what);
        assert!(cpu <= CPU_SECONDS_MAX, "{}: {cpu} s", row.what);
        worst = (worst.0.max(kib), worst.1.max(cpu));
    }
    eprintln!("{} rows: at most {} MiB and {:.0} ms", rows.len(), worst.0 >> 10, worst.1 * 1e3);
}

#[test]
fn each_row_is_a_file_that_is_refused_and_registers_nothing() {
    let world = World::new();
    let file = CsvFile::good("ROWS", 900, 3);
    let rows = rows(&world, file.text().as_bytes(), true);
    for (n, row) in rows.iter().enumerate() {
        world.drop_bytes(&format!("ACME_PAYCARDS_ROW{n}.csv.jwe"), &row.token);
    }
    let ran = world.once().expect(3);
    for (n, row) in rows.iter().enumerate() {
        let ack = world.out().ack(&format!("ACME_PAYCARDS_ROW{n}"));
        assert_eq!((&ack["status"], &ack["code"]), (&json!("REFUSED"), &json!(row.code)), "{}: {ack}", row.what);
    }
    assert_eq!(world.registers_balance(), 0);
    assert!(ran.peak_bytes > 0 && ran.peak_bytes < 128 << 20, "{} MiB", ran.peak_bytes >> 20);
}

#[test]
fn keys_that_a_header_offers_are_not_fetched_and_nonces_of_12_and_16_bytes_open() {
    let world = World::new();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    server.set_nonblocking(true).unwrap();
    let url = format!("http://{}", server.local_addr().unwrap());
    let mut names = Vec::new();
    for (n, token) in odd_but_good(&world, b"a card", &url).into_iter().enumerate() {
        let name = format!("good-{n}.jwe");
        world.write(&name, token);
        names.push((name, "feed"));
    }
    for ran in unseal(&world, &names) {
        assert_eq!((&ran["code"], &ran["said"]), (&json!(0), &json!("")));
    }
    let asked = server.accept().expect_err("something was fetched");
    assert_eq!(asked.kind(), std::io::ErrorKind::WouldBlock);
}
