//! The model hub, through hf-hub, which keeps and resumes its downloads in a cache of its own.

use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use hf_hub::api::Progress;
use hf_hub::api::sync::{ApiBuilder, ApiError};
use hf_hub::{Cache, Repo, RepoType};
use indicatif::ProgressBar;

use super::Unfetched;
use super::install::{Staging, failed};
use super::model::{Model, belongs_to_model};
use crate::console::Console;
use crate::progress;

/// A hub that does not answer by then is not reachable.
const ANSWER: Duration = Duration::from_secs(8);

/// A download that stands still for so long has ended.
const STALLED: Duration = Duration::from_secs(60);

/// What the downloading thread reports.
enum Event {
    /// A file of so many bytes begins.
    Begins(u64),
    /// So many bytes came.
    Came(u64),
    /// The end: the files' names, and where hf-hub has them.
    Ends(Result<Vec<(String, PathBuf)>, String>),
}

/// Gathers the model's files from the hub.
pub fn gather(model: &Model, staging: &Staging, console: &Console) -> Result<(), Unfetched> {
    console.note(format_args!("asking the model hub for {}", model.repository()));
    let (sender, receiver) = mpsc::channel();
    let wanted = model.clone();
    // hf-hub has no time limits: it works in a thread that is left behind if it hangs.
    std::thread::spawn(move || {
        let result = download(&wanted, &sender).map_err(|error| reason(&error));
        let _ = sender.send(Event::Ends(result));
    });
    let bar = console.shows_progress().then(|| progress::bar("fetching", true));
    let files = wait(&receiver, bar.as_ref(), console);
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    for (name, path) in files? {
        let place = staging.place(&name)?;
        std::fs::copy(&path, &place).map_err(failed("copy to", &place))?;
    }
    Ok(())
}

/// Waits for the end, and shows how far the download is.
fn wait(
    receiver: &Receiver<Event>,
    bar: Option<&ProgressBar>,
    console: &Console,
) -> Result<Vec<(String, PathBuf)>, Unfetched> {
    let (mut last, mut limit, mut total) = (Instant::now(), ANSWER, 0);
    loop {
        console.check()?;
        match receiver.recv_timeout(Duration::from_millis(100)) {
            Ok(Event::Ends(result)) => return result.map_err(Unfetched::Failed),
            Ok(Event::Begins(bytes)) => {
                total += bytes;
                bar.inspect(|bar| bar.set_length(total));
                (last, limit) = (Instant::now(), STALLED);
            }
            Ok(Event::Came(bytes)) => {
                bar.inspect(|bar| bar.inc(bytes));
                (last, limit) = (Instant::now(), STALLED);
            }
            Err(RecvTimeoutError::Timeout) if last.elapsed() < limit => {}
            Err(RecvTimeoutError::Timeout) => {
                return Err(Unfetched::Failed(format!("no answer within {} s", limit.as_secs())));
            }
            Err(RecvTimeoutError::Disconnected) => {
                return Err(Unfetched::Failed("the download ended early".to_string()));
            }
        }
    }
}

/// Downloads what hf-hub does not have yet.
fn download(model: &Model, sender: &Sender<Event>) -> Result<Vec<(String, PathBuf)>, ApiError> {
    let api = ApiBuilder::from_env().with_progress(false).build()?;
    let id = model.repository().to_string();
    let (revision, files) = match (model.revision(), model.files()) {
        (Some(revision), Some(files)) => (revision.to_string(), files.iter().map(|file| file.to_string()).collect()),
        _ => newest(&api.model(id.clone()).info()?),
    };
    let repo = Repo::with_revision(id, RepoType::Model, revision);
    let (cached, remote) = (Cache::from_env().repo(repo.clone()), api.repo(repo));
    let get = |name: String| {
        let path = match cached.get(&name) {
            Some(path) => path,
            None => remote.download_with_progress(&name, Reporter(sender.clone()))?,
        };
        Ok((name, path))
    };
    files.into_iter().map(get).collect()
}

/// The newest revision of a repository, and the files of it that belong to a model directory.
fn newest(info: &hf_hub::api::RepoInfo) -> (String, Vec<String>) {
    let names = info.siblings.iter().map(|sibling| sibling.rfilename.clone());
    (info.sha.clone(), names.filter(|name| belongs_to_model(name)).collect())
}

struct Reporter(Sender<Event>);

impl Progress for Reporter {
    fn init(&mut self, size: usize, _: &str) {
        let _ = self.0.send(Event::Begins(size as u64));
    }

    fn update(&mut self, size: usize) {
        let _ = self.0.send(Event::Came(size as u64));
    }

    fn finish(&mut self) {}
}

fn reason(error: &ApiError) -> String {
    let text = error.to_string();
    match text.strip_prefix("request error: ") {
        Some(rest) => rest.to_string(),
        None => text,
    }
}
