//! Other people's tools, as `make test` installs them: libraries of Python and Node behind a script each, and the command `jose`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use josekit::jwk::Jwk;
use josekit::jwk::alg::rsa::RsaKeyPair;
use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::rsa::Rsa;
use openssl::x509::{X509, X509Name};
use serde_json::{Value, json};

use crate::seal::{public_key, python};
use crate::world::World;

/// One tool: jobs in, texts out. What a job holds stands in the scripts.
pub(super) struct Tool {
    /// Told apart from others in names of files.
    pub(super) name: &'static str,
    /// What its verbs begin with.
    speaks: &'static str,
    run: fn(&[Value]) -> Vec<String>,
    /// Whether it knows RSA-OAEP-256.
    pub(super) rsa: bool,
}

pub(super) const JWCRYPTO: Tool = Tool { name: "jwcrypto", speaks: "jwcrypto", run: by_python, rsa: true };
pub(super) const NPM_JOSE: Tool = Tool { name: "npm-jose", speaks: "jose", run: by_node, rsa: true };
/// Debian's command, whose build knows RSA1_5 only.
pub(super) const COMMAND: Tool = Tool { name: "jose", speaks: "jose", run: by_command, rsa: false };
pub(super) const PYTHON: Tool = Tool { name: "mc-python", speaks: "mastercard-jwe", run: by_python, rsa: true };
pub(super) const NODE: Tool = Tool { name: "mc-node", speaks: "mastercard-jwe", run: by_node, rsa: true };
pub(super) const PYTHON_PAYLOAD: Tool = Tool { speaks: "mastercard-payload", ..PYTHON };
pub(super) const NODE_PAYLOAD: Tool = Tool { speaks: "mastercard-payload", ..NODE };

/// Those that take any algorithm, and a key as JWK.
pub(super) const JOSE: [Tool; 3] = [JWCRYPTO, NPM_JOSE, COMMAND];
/// Those that take RSA alone, and a key as certificate.
pub(super) const MASTERCARD: [Tool; 2] = [PYTHON, NODE];

impl Tool {
    /// Does all jobs in one process, with `verb` put before each.
    pub(super) fn all(&self, verb: &str, mut jobs: Vec<Value>) -> Vec<String> {
        for job in &mut jobs {
            job["do"] = format!("{} {verb}", self.speaks).into();
        }
        let texts = (self.run)(&jobs);
        assert_eq!(texts.len(), jobs.len(), "{}: an answer to each job", self.name);
        texts
    }

    pub(super) fn one(&self, verb: &str, job: Value) -> String {
        self.all(verb, vec![job]).remove(0)
    }
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop").join(name)
}

fn by_python(jobs: &[Value]) -> Vec<String> {
    by_script(Command::new(python()).arg(script("senders.py")), jobs)
}

fn by_node(jobs: &[Value]) -> Vec<String> {
    let packages = Path::new(env!("CARGO_BIN_EXE_nightdrop"))
        .ancestors()
        .map(|above| above.join("test-node"))
        .find(|packages| packages.join(".made").exists())
        .expect("no packages of Node beside the build: `make test` installs them");
    by_script(Command::new("node").arg(script("senders.mjs")).arg(packages), jobs)
}

fn by_script(command: &mut Command, jobs: &[Value]) -> Vec<String> {
    serde_json::from_slice(&fed(command, &serde_json::to_vec(jobs).unwrap())).unwrap()
}

fn by_command(jobs: &[Value]) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let key = dir.path().join("key.jwk");
    let done = |job: &Value| {
        std::fs::write(&key, job["key"].as_str().unwrap()).unwrap();
        let mut jose = Command::new("jose");
        if job["do"] == "jose seal" {
            let template = json!({"protected": job["header"]}).to_string();
            jose.args(["jwe", "enc", "--compact", "--input", &template, "--detached", "-", "--key"]);
        } else {
            jose.args(["jwe", "dec", "--input", "-", "--detach", "-", "--key"]);
        }
        String::from_utf8(fed(jose.arg(&key), job["text"].as_str().unwrap().as_bytes())).unwrap()
    };
    jobs.iter().map(done).collect()
}

/// What a command says of this input; it must succeed.
fn fed(command: &mut Command, input: &[u8]) -> Vec<u8> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // Beside the reading: an answer may begin before the input ends.
    let feeding = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{command:?} failed; its words stand above");
    feeding.join().unwrap().unwrap();
    output.stdout
}

/// A key pair on P-384, which nightdrop takes and does not make: by the command.
pub(super) fn pair_on_p384(kid: &str) -> (String, String) {
    let template = json!({"kty": "EC", "crv": "P-384", "kid": kid}).to_string();
    let private = fed(Command::new("jose").args(["jwk", "gen", "--input", &template]), b"");
    let public = fed(Command::new("jose").args(["jwk", "pub", "--input", "-"]), &private);
    (String::from_utf8(private).unwrap(), String::from_utf8(public).unwrap())
}

/// Writes a certificate over a world's public key, as senders of these libraries are given one; gives its path.
///
/// It is issued by somebody else: the libraries read the key of it and look at nothing more.
pub(super) fn certificate(world: &World, name: &str) -> PathBuf {
    let issuer = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
    let mut named = X509Name::builder().unwrap();
    named.append_entry_by_text("CN", "nightdrop of the tests").unwrap();
    let named = named.build();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder.set_serial_number(&BigNum::from_u32(1).unwrap().to_asn1_integer().unwrap()).unwrap();
    builder.set_subject_name(&named).unwrap();
    builder.set_issuer_name(&named).unwrap();
    builder.set_not_before(&Asn1Time::from_str("20260101000000Z").unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::from_str("20991231235959Z").unwrap()).unwrap();
    builder.set_pubkey(&public_key(&world.public_key(name))).unwrap();
    builder.sign(&issuer, MessageDigest::sha256()).unwrap();
    let path = format!("keys/{name}.pem");
    world.write(&path, builder.build().to_pem().unwrap());
    world.at(&path)
}

/// Writes a world's private RSA key as PEM, as the libraries want it; gives its path.
pub(super) fn private_pem(world: &World, name: &str) -> PathBuf {
    let jwk = Jwk::from_bytes(std::fs::read(world.at(&format!("keys/{name}.jwk"))).unwrap()).unwrap();
    let path = format!("keys/{name}.key.pem");
    world.write(&path, RsaKeyPair::from_jwk(&jwk).unwrap().to_pem_private_key());
    world.at(&path)
}
