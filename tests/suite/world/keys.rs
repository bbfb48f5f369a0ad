//! The keys every world starts from: made once for the whole run, by the binary's own commands.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use super::process::Running;

/// Name, `--kid` and `--type` of each envelope key pair.
const PAIRS: [(&str, &str, &str); 5] = [
    ("feed", "feed-1", "rsa"),
    ("feed-ec", "feed-2", "ec"),
    ("reply", "reply-1", "rsa"),
    ("stranger", "feed-9", "rsa"),
    ("enroll", "enroll-1", "rsa"),
];

/// Files of `keys/` with their content and mode.
type Made = Vec<(String, Vec<u8>, u32)>;

/// Puts the keys into a world's `keys/`.
pub(super) fn lay_out(dir: &Path) {
    static MADE: OnceLock<Made> = OnceLock::new();
    fs::create_dir(dir).unwrap();
    for (name, content, mode) in MADE.get_or_init(make) {
        fs::write(dir.join(name), content).unwrap();
        fs::set_permissions(dir.join(name), fs::Permissions::from_mode(*mode)).unwrap();
    }
}

fn make() -> Made {
    let dir = tempfile::tempdir().unwrap();
    let nightdrop = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nightdrop"));
        command.args(args).current_dir(dir.path());
        Running::start(command, dir.path().join("said"), None).wait().expect(0);
    };
    nightdrop(&["keys", "new", "kek", "--out", "kek.key"]);
    for (name, kid, kind) in PAIRS {
        nightdrop(&["keys", "new", "envelope", "--kid", kid, "--type", kind, "--out", &format!("{name}.jwk")]);
    }
    let mut made = Vec::new();
    for name in ["kek.key".to_owned()].into_iter().chain(PAIRS.iter().map(|(name, _, _)| format!("{name}.jwk"))) {
        let path = dir.path().join(&name);
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode & 0o077, 0, "{name} can be read by others: {mode:o}");
        made.push((name, fs::read(path).unwrap(), mode));
    }
    for (name, _, _) in PAIRS {
        let name = format!("{name}.pub.jwk");
        made.push((name.clone(), fs::read(dir.path().join(name)).unwrap(), 0o644));
    }
    made
}
