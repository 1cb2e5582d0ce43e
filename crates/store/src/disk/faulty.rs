//! A disk in memory that fails as disks do: it forgets what was not synced, tears writes at sectors, flips bits, runs full.
#![allow(clippy::unwrap_used, reason = "only tests and fuzz targets come here")]

use std::{
    any::Any,
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard},
};

use anyfn_base::Random;
use rustix::io::Errno;

use super::{Disk, DiskFile};

const SECTOR: usize = 512;

#[derive(Clone, Debug)]
enum Unsynced {
    Write { at: usize, bytes: Vec<u8> },
    Length(usize),
}

#[derive(Clone, Debug, Default)]
struct Node {
    now: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<Unsynced>,
}

#[derive(Clone, Debug, Default)]
struct World {
    nodes: Vec<Node>,
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    locked: BTreeSet<PathBuf>,
    /// Bytes that fit, if bounded.
    room: Option<u64>,
    /// Syncs that will fail with this error.
    bad_syncs: Option<(u32, Errno)>,
    /// Operations until the power goes; afterwards everything fails.
    power: Option<u64>,
    off: bool,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct FaultyDisk(Arc<Mutex<World>>);

impl World {
    /// Every operation that changes something counts.
    fn step(&mut self) -> io::Result<()> {
        if let Some(left) = &mut self.power {
            self.off |= *left == 0;
            *left = left.saturating_sub(1);
        }
        if self.off { Err(Errno::IO.into()) } else { Ok(()) }
    }

    fn used(&self) -> u64 {
        self.names.values().map(|node| self.nodes[*node].now.len() as u64).sum()
    }

    fn fits(&self, more: u64) -> bool {
        self.room.is_none_or(|room| self.used() + more <= room)
    }

    fn find(&self, path: &Path) -> io::Result<usize> {
        self.names.get(path).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

fn put(bytes: &mut Vec<u8>, at: usize, new: &[u8]) {
    if bytes.len() < at + new.len() {
        bytes.resize(at + new.len(), 0);
    }
    bytes[at..at + new.len()].copy_from_slice(new);
}

impl Node {
    /// Of what was not synced, each sector made it or did not.
    fn lose(&mut self, random: &Random) {
        for change in std::mem::take(&mut self.unsynced) {
            match change {
                Unsynced::Length(len) if random.u64() & 1 == 0 => self.durable.resize(len, 0),
                Unsynced::Length(_) => {}
                Unsynced::Write { mut at, bytes } => {
                    let mut rest = &bytes[..];
                    while !rest.is_empty() {
                        let (piece, behind) = rest.split_at((SECTOR - at % SECTOR).min(rest.len()));
                        if random.u64() & 1 == 0 {
                            put(&mut self.durable, at, piece);
                        }
                        (at, rest) = (at + piece.len(), behind);
                    }
                }
            }
        }
        self.now = self.durable.clone();
    }
}

impl FaultyDisk {
    fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }

    pub(crate) fn set_room(&self, room: Option<u64>) {
        self.world().room = room;
    }

    pub(crate) fn used(&self) -> u64 {
        self.world().used()
    }

    pub(crate) fn fail_syncs(&self, count: u32, errno: Errno) {
        self.world().bad_syncs = Some((count, errno));
    }

    pub(crate) fn power_off_after(&self, steps: u64) {
        self.world().power = Some(steps);
    }

    /// The disk as it is found after a power cut.
    pub(crate) fn after_power_cut(&self, random: &Random) -> Self {
        let mut world = self.world().clone();
        let all: BTreeSet<PathBuf> = world.names.keys().chain(world.durable_names.keys()).cloned().collect();
        let mut names = BTreeMap::new();
        for name in all {
            let side = if random.u64() & 1 == 0 { &world.names } else { &world.durable_names };
            if let Some(node) = side.get(&name) {
                names.insert(name, *node);
            }
        }
        world.nodes.iter_mut().for_each(|node| node.lose(random));
        (world.names, world.durable_names) = (names.clone(), names);
        (world.locked, world.power, world.off) = (BTreeSet::new(), None, false);
        Self(Arc::new(Mutex::new(world)))
    }

    /// The disk as it is found after the process was killed: the operating system lost nothing.
    pub(crate) fn after_kill(&self) -> Self {
        let mut world = self.world().clone();
        (world.locked, world.power, world.off) = (BTreeSet::new(), None, false);
        Self(Arc::new(Mutex::new(world)))
    }

    pub(crate) fn files(&self) -> Vec<(PathBuf, usize)> {
        let world = self.world();
        world.names.iter().map(|(path, node)| (path.clone(), world.nodes[*node].now.len())).collect()
    }

    pub(crate) fn edit(&self, path: &Path, edit: impl FnOnce(&mut Vec<u8>)) {
        let mut world = self.world();
        let node = world.names[path];
        edit(&mut world.nodes[node].now);
        world.nodes[node].durable = world.nodes[node].now.clone();
    }
}

impl Disk for FaultyDisk {
    fn create_dir(&self, _dir: &Path) -> io::Result<()> {
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let world = self.world();
        let inside = world.names.keys().filter_map(|path| path.strip_prefix(dir).ok()?.iter().next());
        let names: BTreeSet<String> = inside.map(|name| name.to_string_lossy().into_owned()).collect();
        Ok(names.into_iter().collect())
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let mut world = self.world();
        world.step()?;
        world.nodes.push(Node::default());
        let node = world.nodes.len() - 1;
        world.names.insert(path.into(), node);
        Ok(Arc::new(FaultyFile { disk: self.clone(), node }))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let node = self.world().find(path)?;
        Ok(Arc::new(FaultyFile { disk: self.clone(), node }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut world = self.world();
        world.step()?;
        let node = world.find(from)?;
        world.names.remove(from);
        world.names.insert(to.into(), node);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut world = self.world();
        world.step()?;
        world.find(path)?;
        world.names.remove(path);
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut world = self.world();
        world.step()?;
        let names = world.names.clone();
        world.durable_names.retain(|path, _| path.parent() != Some(dir));
        world.durable_names.extend(names.into_iter().filter(|(path, _)| path.parent() == Some(dir)));
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Any + Send + Sync>>> {
        let fresh = self.world().locked.insert(path.into());
        let held = || -> Box<dyn Any + Send + Sync> { Box::new(Held(self.clone(), path.into())) };
        Ok(fresh.then(held))
    }
}

struct Held(FaultyDisk, PathBuf);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.world().locked.remove(&self.1);
    }
}

#[derive(Debug)]
struct FaultyFile {
    disk: FaultyDisk,
    node: usize,
}

impl DiskFile for FaultyFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.disk.world().nodes[self.node].now.len() as u64)
    }

    fn read_at(&self, buf: &mut [u8], at: u64) -> io::Result<usize> {
        let world = self.disk.world();
        let bytes = world.nodes[self.node].now.get(usize::try_from(at).unwrap()..).unwrap_or_default();
        let len = bytes.len().min(buf.len());
        buf[..len].copy_from_slice(&bytes[..len]);
        Ok(len)
    }

    fn read_cached(&self, buf: &mut [u8], at: u64) -> io::Result<bool> {
        Ok(self.read_at(buf, at)? == buf.len())
    }

    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        let mut world = self.disk.world();
        world.step()?;
        let at = usize::try_from(at).unwrap();
        let grows = (at + bytes.len()).saturating_sub(world.nodes[self.node].now.len());
        let fits = world.fits(grows as u64);
        // A write that does not fit gets half way.
        let bytes = if fits { bytes } else { &bytes[..(bytes.len() - grows) / 2] };
        let node = &mut world.nodes[self.node];
        put(&mut node.now, at, bytes);
        node.unsynced.push(Unsynced::Write { at, bytes: bytes.to_vec() });
        if fits { Ok(()) } else { Err(Errno::NOSPC.into()) }
    }

    fn reserve(&self, len: u64) -> io::Result<()> {
        let mut world = self.disk.world();
        world.step()?;
        let len = usize::try_from(len).unwrap();
        if !world.fits(len.saturating_sub(world.nodes[self.node].now.len()) as u64) {
            return Err(Errno::NOSPC.into());
        }
        let node = &mut world.nodes[self.node];
        if node.now.len() < len {
            node.now.resize(len, 0);
            node.unsynced.push(Unsynced::Length(len));
        }
        Ok(())
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        let mut world = self.disk.world();
        world.step()?;
        let len = usize::try_from(len).unwrap();
        let node = &mut world.nodes[self.node];
        node.now.resize(len, 0);
        node.unsynced.push(Unsynced::Length(len));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut world = self.disk.world();
        world.step()?;
        if let Some((left, errno)) = world.bad_syncs
            && left > 0
        {
            world.bad_syncs = Some((left - 1, errno));
            // As Linux does: the pages count as clean from now on, written or not.
            world.nodes[self.node].unsynced.clear();
            return Err(errno.into());
        }
        let node = &mut world.nodes[self.node];
        // Only what is dirty: bytes whose earlier sync failed are not written a second time.
        for change in std::mem::take(&mut node.unsynced) {
            match change {
                Unsynced::Length(len) => node.durable.resize(len, 0),
                Unsynced::Write { at, bytes } => put(&mut node.durable, at, &bytes),
            }
        }
        Ok(())
    }
}
