//! What a medium may hold after a crash: folders and files as inodes, and for each operation whether it was made durable.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path};

use super::operation::Operation;

type Inode = usize;

/// A folder or a file.
#[derive(Debug, Clone)]
enum Node {
    Folder(BTreeMap<String, Inode>),
    File(Vec<u8>),
}

/// What one operation does to inodes; the unit that a crash keeps or loses.
#[derive(Debug, Clone)]
enum Effect {
    /// An entry comes, goes, or moves; atomic.
    Entry { gone: Option<(Inode, String)>, come: Option<(Inode, String, Inode)> },
    /// Bytes of a file.
    Data { file: Inode, offset: usize, data: Vec<u8> },
    /// A file's length.
    Length { file: Inode, length: usize },
}

impl Effect {
    /// Whether synchronising an inode makes it durable.
    fn is_of(&self, inode: Inode) -> bool {
        match self {
            Effect::Entry { gone, come } => {
                gone.as_ref().is_some_and(|(folder, _)| *folder == inode)
                    || come.as_ref().is_some_and(|(folder, ..)| *folder == inode)
            }
            Effect::Data { file, .. } | Effect::Length { file, .. } => *file == inode,
        }
    }
}

/// How much of a pending effect a crash keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    Nothing,
    Whole,
    /// The first bytes of a write.
    First(usize),
    /// All bytes of a write but the first ones.
    Last(usize),
}

/// A folder tree, what was done to it, and what of that is durable.
#[derive(Debug, Clone)]
pub(crate) struct Medium {
    /// Everything done.
    live: Vec<Node>,
    /// Everything durable.
    durable: Vec<Node>,
    /// What was done and is not durable, in order.
    pending: Vec<Effect>,
}

const ROOT: Inode = 0;

impl Medium {
    /// A folder as it is on the disk, all of it durable.
    pub(crate) fn of(folder: &Path) -> Self {
        let mut nodes = vec![Node::Folder(BTreeMap::new())];
        read_folder(folder, ROOT, &mut nodes);
        Self { durable: nodes.clone(), live: nodes, pending: Vec::new() }
    }

    /// Does an operation; `root` is where the folder of [`Medium::of`] was when it was recorded.
    pub(crate) fn apply(&mut self, operation: &Operation, root: &Path) {
        let place = |path: &Path| path.strip_prefix(root).unwrap().to_path_buf();
        match operation {
            Operation::Look(_) | Operation::Open(_) | Operation::Read(_) => {}
            Operation::Create(path) => self.make(&place(path), Node::File(Vec::new())),
            Operation::CreateDir(path) => self.make(&place(path), Node::Folder(BTreeMap::new())),
            Operation::Write { path, offset, data } => {
                let (file, offset) = (self.find(&place(path)), *offset as usize);
                self.pend(Effect::Data { file, offset, data: data.clone() });
            }
            Operation::SetLen { path, len } => {
                let file = self.find(&place(path));
                self.pend(Effect::Length { file, length: *len as usize });
            }
            Operation::Rename { from, to } => {
                let ((of, old), (into, new)) = (self.entry(&place(from)), self.entry(&place(to)));
                let moved = self.find(&place(from));
                self.pend(Effect::Entry { gone: Some((of, old)), come: Some((into, new, moved)) });
            }
            Operation::RemoveFile(path) | Operation::RemoveDir(path) => {
                let gone = self.entry(&place(path));
                self.pend(Effect::Entry { gone: Some(gone), come: None });
            }
            Operation::Sync(path) | Operation::SyncDir(path) => {
                let inode = self.find(&place(path));
                self.make_durable(inode);
            }
        }
    }

    fn make(&mut self, path: &Path, node: Node) {
        let empty = match &node {
            Node::Folder(_) => Node::Folder(BTreeMap::new()),
            Node::File(_) => Node::File(Vec::new()),
        };
        self.live.push(node);
        self.durable.push(empty);
        let (folder, name) = self.entry(path);
        self.pend(Effect::Entry { gone: None, come: Some((folder, name, self.live.len() - 1)) });
    }

    fn pend(&mut self, effect: Effect) {
        keep(&mut self.live, &effect, Kept::Whole);
        self.pending.push(effect);
    }

    fn make_durable(&mut self, inode: Inode) {
        let (done, pending) = self.pending.drain(..).partition(|effect| effect.is_of(inode));
        self.pending = pending;
        let done: Vec<Effect> = done;
        done.iter().for_each(|effect| keep(&mut self.durable, effect, Kept::Whole));
    }

    /// The folder and name of a path.
    fn entry(&self, path: &Path) -> (Inode, String) {
        let name = path.file_name().unwrap().to_str().unwrap().to_string();
        (self.find(path.parent().unwrap()), name)
    }

    fn find(&self, path: &Path) -> Inode {
        path.components().fold(ROOT, |at, part| match (&self.live[at], part) {
            (Node::Folder(entries), Component::Normal(name)) => entries[name.to_str().unwrap()],
            _ => panic!("{} is not in a folder", path.display()),
        })
    }

    /// How many effects a crash now could lose.
    pub(crate) fn n_pending(&self) -> usize {
        self.pending.len()
    }

    /// The length of a pending write; none of other effects.
    pub(crate) fn pending_write(&self, at: usize) -> Option<usize> {
        match &self.pending[at] {
            Effect::Data { data, .. } => Some(data.len()),
            _ => None,
        }
    }

    /// The tree after a crash that keeps so much of each pending effect: the files and the folders, by path.
    pub(crate) fn after_crash(&self, kept: &[Kept]) -> Tree {
        let mut nodes = self.durable.clone();
        self.pending.iter().zip(kept).for_each(|(effect, &kept)| keep(&mut nodes, effect, kept));
        let mut tree = Tree::default();
        collect(&nodes, ROOT, "", &mut tree, &mut BTreeSet::new());
        tree
    }
}

/// A folder's files and folders, by relative path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tree {
    pub(crate) folders: Vec<String>,
    pub(crate) files: Vec<(String, Vec<u8>)>,
}

impl Tree {
    /// A hash of all of it.
    pub(crate) fn hash(&self) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new();
        for folder in &self.folders {
            hasher.update(folder.as_bytes()).update(b"/");
        }
        for (path, content) in &self.files {
            hasher.update(path.as_bytes()).update(&(content.len() as u64).to_le_bytes()).update(content);
        }
        hasher.finalize()
    }

    /// Writes it into an empty folder.
    pub(crate) fn write(&self, into: &Path) {
        for folder in &self.folders {
            std::fs::create_dir(into.join(folder)).unwrap();
        }
        for (path, content) in &self.files {
            std::fs::write(into.join(path), content).unwrap();
        }
    }
}

fn read_folder(folder: &Path, inode: Inode, nodes: &mut Vec<Node>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let new = nodes.len();
        match entry.file_type().unwrap().is_dir() {
            true => {
                nodes.push(Node::Folder(BTreeMap::new()));
                read_folder(&entry.path(), new, nodes);
            }
            false => nodes.push(Node::File(std::fs::read(entry.path()).unwrap())),
        }
        let Node::Folder(entries) = &mut nodes[inode] else { panic!("a file has no entries") };
        entries.insert(entry.file_name().into_string().unwrap(), new);
    }
}

fn keep(nodes: &mut [Node], effect: &Effect, kept: Kept) {
    let bytes = |data: &[u8]| match kept {
        Kept::Nothing => 0..0,
        Kept::Whole => 0..data.len(),
        Kept::First(n) => 0..n.min(data.len()),
        Kept::Last(n) => n.min(data.len())..data.len(),
    };
    match effect {
        Effect::Data { file, offset, data } => {
            let (kept, Node::File(content)) = (bytes(data), &mut nodes[*file]) else { panic!("not a file") };
            if !kept.is_empty() {
                content.resize(content.len().max(offset + kept.end), 0);
                content[offset + kept.start..offset + kept.end].copy_from_slice(&data[kept]);
            }
        }
        _ if kept == Kept::Nothing => {}
        Effect::Length { file, length } => {
            let Node::File(content) = &mut nodes[*file] else { panic!("not a file") };
            content.resize(*length, 0);
        }
        Effect::Entry { gone, come } => {
            if let Some((folder, name)) = gone
                && let Node::Folder(entries) = &mut nodes[*folder]
            {
                entries.remove(name);
            }
            if let Some((folder, name, inode)) = come
                && let Node::Folder(entries) = &mut nodes[*folder]
            {
                entries.insert(name.clone(), *inode);
            }
        }
    }
}

/// A folder that lost the removal of an entry may be found at two places after a move; it is listed at the first.
fn collect(nodes: &[Node], inode: Inode, path: &str, tree: &mut Tree, seen: &mut BTreeSet<Inode>) {
    let Node::Folder(entries) = &nodes[inode] else { return };
    if !seen.insert(inode) {
        return;
    }
    for (name, &inside) in entries {
        let path = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
        match &nodes[inside] {
            Node::File(content) => tree.files.push((path, content.clone())),
            Node::Folder(_) => {
                tree.folders.push(path.clone());
                collect(nodes, inside, &path, tree, seen);
            }
        }
    }
}
