//! An uploader who swaps: while the daemon looks, a file becomes a link to a secret, a second name of one, a FIFO, a
//! socket or a directory, and a file again. Nothing outside is opened or read, and the daemon goes on.
//!
//! Ten thousand rounds by `make test-long`.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::fs::{CWD, FileType, Mode, OFlags, RenameFlags, mknodat, renameat_with};
use rustix::io::Errno;

use crate::file::{CsvFile, sha256_hex};
use crate::world::{PATIENCE, World, long, now};

/// What the secrets hold, and what would betray that they were read.
const CANARY: &str = "CANARY-7f3c91-of-a-file-that-is-none-of-the-daemons";

/// Tells of opens and reads, whoever does them.
struct Watch {
    fd: OwnedFd,
}

impl Watch {
    fn on(paths: &[(&Path, WatchFlags)]) -> Self {
        let fd = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).unwrap();
        for (path, what) in paths {
            inotify::add_watch(&fd, *path, *what).unwrap();
        }
        Self { fd }
    }

    /// What has happened since it was last asked: the names within a watched directory, nothing for the thing itself.
    fn heard(&self) -> Vec<(ReadFlags, Option<String>)> {
        let mut buffer = [const { MaybeUninit::uninit() }; 4096];
        let mut reader = inotify::Reader::new(&self.fd, &mut buffer);
        let mut heard = Vec::new();
        loop {
            match reader.next() {
                Ok(event) => {
                    let name = event.file_name().map(|name| name.to_string_lossy().into_owned());
                    heard.push((event.events(), name));
                }
                Err(Errno::AGAIN) => return heard,
                Err(errno) => panic!("inotify: {errno}"),
            }
        }
    }

    /// Waits until the daemon begins to look at the watched directory; how often it did since it was last asked.
    fn next_look(&self) -> u64 {
        let deadline = now() + PATIENCE;
        loop {
            let looks = self.heard().iter().filter(|(_, name)| name.is_none()).count();
            if looks > 0 {
                return looks as u64;
            }
            assert!(now() < deadline, "the daemon has not looked for {PATIENCE:?}");
            std::hint::spin_loop();
        }
    }
}

/// The secrets, outside of everything that the configuration names, and a FIFO that would lose what is read from it.
struct Secrets {
    dir: tempfile::TempDir,
    linked: PathBuf,
    second_name: PathBuf,
}

impl Secrets {
    fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("nightdrop-secrets-").tempdir().unwrap();
        let [linked, second_name] = ["linked", "second-name"].map(|name| {
            let path = dir.path().join(name);
            fs::write(&path, format!("{CANARY} {name}\n")).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
            path
        });
        Self { dir, linked, second_name }
    }

    /// What must never be heard: an open of what only a link leads to, a read of either.
    fn watch(&self) -> Watch {
        Watch::on(&[
            (self.dir.path(), WatchFlags::OPEN),
            (&self.linked, WatchFlags::ACCESS | WatchFlags::OPEN),
            (&self.second_name, WatchFlags::ACCESS),
        ])
    }

    /// What a file that is swapped becomes, each under a name that is never an arrival.
    fn stage(&self, inbound: &Path) -> (Vec<PathBuf>, UnixListener) {
        let at = |name: &str| inbound.join(format!(".swap-{name}"));
        symlink(&self.linked, at("link")).unwrap();
        symlink(Path::new("/proc/self/root").join(self.linked.strip_prefix("/").unwrap()), at("magic")).unwrap();
        symlink(self.dir.path(), at("link-to-directory")).unwrap();
        fs::hard_link(&self.second_name, at("second-name")).unwrap();
        mknodat(CWD, at("fifo"), FileType::Fifo, Mode::from_bits_truncate(0o666), 0).unwrap();
        mknodat(CWD, at("fifo-with-content"), FileType::Fifo, Mode::from_bits_truncate(0o666), 0).unwrap();
        fs::create_dir(at("directory")).unwrap();
        let socket = UnixListener::bind(at("socket")).unwrap();
        let names =
            ["link", "fifo", "magic", "directory", "second-name", "fifo-with-content", "link-to-directory", "socket"];
        (names.map(at).into(), socket)
    }
}

/// Both ends of a FIFO, with the canary in it.
fn filled(fifo: &Path) -> File {
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap();
    let mut fifo = OpenOptions::new().read(true).write(true).custom_flags(flags).open(fifo).unwrap();
    fifo.write_all(CANARY.as_bytes()).unwrap();
    fifo
}

/// Every regular file of the world that holds one of the needles.
fn holding(world: &World, needles: &[&[u8]]) -> Vec<PathBuf> {
    let mut places: Vec<PathBuf> =
        ["work", "quarantine", "archive", "outbound", "said"].iter().flat_map(|place| world.kept_in(place)).collect();
    places.extend(["nightdrop.db", "nightdrop.db-wal"].map(|name| world.at(name)).into_iter().filter(|it| it.exists()));
    places.retain(|path| {
        let bytes = fs::read(path).unwrap();
        needles.iter().any(|needle| memchr::memmem::find(&bytes, needle).is_some())
    });
    places
}

#[test]
fn swapping_a_file_for_something_else_reads_nothing_outside() {
    let rounds: u64 = if long() { 10_000 } else { 300 };
    let world = World::shaped(|shape| {
        // Every look offers the bait, and one that is a file when it is opened ends early and is left where it lies.
        shape.settle = "0s";
        shape.stalled = "10m";
    });
    let (inbound, secrets) = (world.inbound(), Secrets::new());
    let (staged, _socket) = secrets.stage(&inbound);
    let mut fifo = filled(&inbound.join(".swap-fifo-with-content"));
    let bait = inbound.join("ACME_PAYCARDS_BAIT.csv.jwe");
    fs::write(&bait, &world.sealed(&CsvFile::good("BAIT", 216, 1).text())[..20]).unwrap();

    let at_secrets = secrets.watch();
    let at_inbound = Watch::on(&[(&inbound, WatchFlags::OPEN)]);
    let mut daemon = world.daemon();
    let (began, mut looks, mut chance) = (now(), 0, 0x2545_f491_4f6c_dd1d_u64);
    for round in 0..rounds {
        let other = &staged[usize::try_from(round).unwrap() % staged.len()];
        for _there_and_back in 0..2 {
            looks += at_inbound.next_look();
            // Somewhere within what the daemon does next.
            chance ^= chance << 13;
            chance ^= chance >> 7;
            chance ^= chance << 17;
            let wait = Duration::from_micros(chance % 4000);
            let from = now();
            while now() - from < wait {
                std::hint::spin_loop();
            }
            renameat_with(CWD, &bait, CWD, other, RenameFlags::EXCHANGE).unwrap();
        }
        assert!(round % 64 != 0 || daemon.alive(), "it ended: {}", daemon.stderr());
    }
    let took = now() - began;
    for path in staged.iter().chain([&bait]) {
        if path.is_dir() && !path.is_symlink() { fs::remove_dir(path) } else { fs::remove_file(path) }.unwrap();
    }

    // It goes on.
    let good = CsvFile::good("GOOD", 217, 2);
    let dropped = now();
    world.drop_sealed(&good);
    world.wait_for(&mut daemon, &format!("{}.summary.json", good.stem()));
    let good_took = now() - dropped;
    assert!(good_took < Duration::from_secs(5), "the good file took {good_took:?}");
    world.out().accepted(&good.stem());
    let ran = daemon.terminate(Duration::from_secs(10)).expect(0);

    let count = |event: &str| ran.stderr.matches(&format!("event=\"{event}\"")).count();
    let (raced, taken) = (count("claim_thrown_away"), count("file_claimed"));
    eprintln!(
        "{rounds} rounds of two swaps in {:.1} s, {looks} openings of the directory: {taken} claims found a file as it was \
         seen, {raced} found that it had been swapped; the good file took {good_took:?}",
        took.as_secs_f64()
    );
    assert!(raced as u64 >= rounds / 50, "only {raced} of {rounds} rounds met a claim under way");
    assert!(count("odd_entry") <= 50 * (1 + usize::try_from(took.as_secs() / 600).unwrap()), "{}", count("odd_entry"));

    assert_eq!(at_secrets.heard(), [], "a secret was opened or read");
    let mut left = String::new();
    let read = fifo.read_to_string(&mut left);
    assert_eq!(read.unwrap_err().kind(), ErrorKind::WouldBlock);
    assert_eq!(left, CANARY, "the FIFO was read from");
    let digests = [&secrets.linked, &secrets.second_name].map(|path| sha256_hex(&fs::read(path).unwrap()));
    let [first, second] = [0, 1].map(|n| digests[n].as_bytes());
    let told = holding(&world, &[CANARY.as_bytes(), first, second]);
    assert!(told.is_empty(), "what a secret holds is in {told:?}");
    assert!(world.out().names().iter().all(|name| name.starts_with(&good.stem())), "{:?}", world.out().names());
    // The test's own reading of them just now would have been heard.
    let heard = at_secrets.heard();
    assert!(heard.iter().filter(|(what, _)| what.contains(ReadFlags::ACCESS)).count() >= 2, "{heard:?}");
    assert!(heard.iter().any(|(what, _)| what.contains(ReadFlags::OPEN)), "{heard:?}");
}
