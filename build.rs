//! Refuses to build against a libssh2 that is not the vendored one.
//!
//! libssh2 up to 1.11.1 can be taken over by a server before it has shown its key (CVE-2026-55200). The source that comes
//! with libssh2-sys is mended; a system's copy most often is not, and `LIBSSH2_SYS_USE_PKG_CONFIG` would take it silently.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // libssh2-sys tells both of what it built itself, and no root of what it found.
    let told = |name: &str| {
        #[expect(clippy::disallowed_methods, reason = "this is how one build script speaks to another")]
        std::env::var(name).ok()
    };
    let Some(include) = told("DEP_SSH2_ROOT").and_then(|_| told("DEP_SSH2_INCLUDE")) else {
        fail("libssh2 was not built from its vendored source: unset LIBSSH2_SYS_USE_PKG_CONFIG and build again");
    };
    let header = format!("{include}/libssh2.h");
    println!("cargo:rerun-if-changed={header}");
    let text = std::fs::read_to_string(&header).unwrap_or_else(|error| fail(&format!("cannot read {header}: {error}")));
    let number = |part: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("#define LIBSSH2_VERSION_{part} ")));
        line.and_then(|rest| rest.trim().parse::<u32>().ok())
    };
    match (number("MAJOR"), number("MINOR"), number("PATCH")) {
        (Some(major), Some(minor), Some(patch)) if (major, minor, patch) > (1, 11, 1) => {}
        found => fail(&format!("libssh2 above 1.11.1 is needed (CVE-2026-55200), {header} is {found:?}")),
    }
}

fn fail(why: &str) -> ! {
    println!("cargo:warning={why}");
    eprintln!("{why}");
    #[expect(clippy::disallowed_methods, reason = "a build script has no other way to fail without a panic")]
    std::process::exit(1)
}
