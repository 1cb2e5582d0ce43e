//! The names of a package as a tree, before anything is on disk.
//!
//! What must stay true: every name has one meaning; nothing lies below a file or a link; every link, followed in the
//! tree as the kernel would follow it, stays inside. Memory: a name is kept by component and borrowed where it can be, so
//! that deep paths cost no more than they weigh in the archive.

use std::{borrow::Cow, collections::HashMap};

/// Components of one path.
const DEPTH_MAX: usize = 128;
/// Bytes of one component: what Linux file systems take.
const NAME_MAX: usize = 255;
/// Bytes of one link's target.
pub(crate) const TARGET_MAX: usize = 1024;
/// Links followed one after the other, as the kernel counts.
const HOPS_MAX: usize = 40;
/// Steps for all links together: links that point at links must not cost minutes.
const STEPS_MAX: usize = 4_000_000;

type Id = u32;
const ROOT: Id = 0;

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Node {
    Dir,
    File,
    /// Its target.
    Link(Box<str>),
}

/// Why a name or a link is refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Bad(&'static str),
    /// More nodes than the limit.
    Full,
}

#[derive(Debug)]
pub(crate) struct Tree<'a> {
    nodes: Vec<(Id, Node)>,
    children: HashMap<(Id, Cow<'a, str>), Id>,
    limit: u64,
}

/// A path that is safe to join to a folder: relative, no `..`, plain components. Borrowed whole, so that 100,000 deep
/// paths cost no memory of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SafePath<'a>(&'a str);

impl<'a> SafePath<'a> {
    /// `./a/b` is read as `a/b`; what could mean another place anywhere is refused.
    pub(crate) fn parse(name: &'a str) -> Result<Self, &'static str> {
        if name.contains('\0') {
            return Err("name holds NUL");
        }
        if name.contains('\\') {
            return Err("name holds a backslash");
        }
        if name.starts_with('/') {
            return Err("name is absolute");
        }
        let bytes = name.as_bytes();
        if bytes.get(1) == Some(&b':') && bytes[0].is_ascii_alphabetic() {
            return Err("name has a drive letter");
        }
        let name = name.strip_suffix('/').unwrap_or(name);
        for part in name.split('/') {
            match part {
                "" => return Err("name has an empty part"),
                ".." => return Err("name leaves the package"),
                _ if part.len() > NAME_MAX => return Err("name has a part over 255 bytes"),
                _ => {}
            }
        }
        if name.split('/').count() > DEPTH_MAX {
            return Err("name is too deep");
        }
        Ok(Self(name))
    }

    fn parts(self) -> impl DoubleEndedIterator<Item = &'a str> {
        self.0.split('/').filter(|part| *part != ".")
    }

    /// With `/` between the parts; empty for the root itself.
    pub(crate) fn join(self) -> String {
        self.parts().collect::<Vec<_>>().join("/")
    }
}

impl<'a> Tree<'a> {
    /// Holds at most `limit` files, links and folders, those that only stand in a path included.
    pub(crate) fn new(limit: u64) -> Self {
        Self { nodes: vec![(ROOT, Node::Dir)], children: HashMap::new(), limit }
    }

    pub(crate) fn insert(&mut self, path: SafePath<'a>, node: Node) -> Result<(), Refusal> {
        let mut parents = path.parts();
        let Some(last) = parents.next_back() else {
            return if node == Node::Dir { Ok(()) } else { Err(Refusal::Bad("name is empty")) };
        };
        let mut at = ROOT;
        for part in parents {
            at = match self.child(at, part) {
                Some(id) if self.nodes[id as usize].1 == Node::Dir => id,
                Some(_) => return Err(Refusal::Bad("name lies below a file or link")),
                None => self.add(at, Cow::Borrowed(part), Node::Dir)?,
            };
        }
        match self.child(at, last) {
            None => self.add(at, Cow::Borrowed(last), node).map(drop),
            Some(id) if node == Node::Dir && self.nodes[id as usize].1 == Node::Dir => Ok(()),
            Some(_) => Err(Refusal::Bad("name appears twice")),
        }
    }

    /// Adds a node below one that exists, with a name of its own; for trees that are read from disk.
    pub(crate) fn add(&mut self, parent: Id, name: Cow<'a, str>, node: Node) -> Result<Id, Refusal> {
        if self.nodes.len() as u64 > self.limit {
            return Err(Refusal::Full);
        }
        let id = Id::try_from(self.nodes.len()).map_err(|_| Refusal::Full)?;
        self.nodes.push((parent, node));
        self.children.insert((parent, name), id);
        Ok(id)
    }

    fn child(&self, parent: Id, name: &str) -> Option<Id> {
        // A key with a shorter life than the map's is fine: the map is only read.
        let children: &HashMap<(Id, Cow<'_, str>), Id> = &self.children;
        children.get(&(parent, Cow::Borrowed(name))).copied()
    }

    /// Follows every link. A link that leads nowhere inside is fine; one that leads out, or in circles, is not: gives
    /// its path and why.
    pub(crate) fn check_links(&self) -> Result<(), (String, &'static str)> {
        let mut steps = 0;
        for (id, (parent, node)) in (0..).zip(&self.nodes) {
            if let Node::Link(target) = node {
                self.follow(*parent, target, &mut steps).map_err(|why| (self.path(id), why))?;
            }
        }
        Ok(())
    }

    /// Only for messages: looks through all names.
    fn path(&self, mut id: Id) -> String {
        let mut parts = Vec::new();
        while id != ROOT {
            let name = self.children.iter().find(|(_, child)| **child == id).map(|((_, name), _)| &**name);
            parts.push(name.unwrap_or_default());
            id = self.nodes[id as usize].0;
        }
        parts.reverse();
        parts.join("/")
    }

    fn follow(&self, from: Id, target: &str, steps: &mut usize) -> Result<(), &'static str> {
        let mut at = from;
        // Components below `at` that do not exist: counted, so that `..` takes them back first.
        let mut missing = 0_usize;
        let mut hops = 0;
        let mut todo: Vec<&str> = Vec::new();
        push_target(&mut todo, target)?;
        while let Some(part) = todo.pop() {
            *steps += 1;
            if *steps > STEPS_MAX {
                return Err("links are too tangled");
            }
            match part {
                "" | "." => {}
                ".." if missing > 0 => missing -= 1,
                ".." if at == ROOT => return Err("link leads out of the package"),
                ".." => at = self.nodes[at as usize].0,
                _ if missing > 0 => missing += 1,
                _ => match self.child(at, part).map(|id| (id, &self.nodes[id as usize].1)) {
                    None | Some((_, Node::File)) => missing += 1,
                    Some((id, Node::Dir)) => at = id,
                    Some((_, Node::Link(next))) => {
                        hops += 1;
                        if hops > HOPS_MAX {
                            return Err("links lead in a circle");
                        }
                        push_target(&mut todo, next)?;
                    }
                },
            }
        }
        Ok(())
    }
}

/// Puts the components of a target on the stack, the first on top.
fn push_target<'t>(todo: &mut Vec<&'t str>, target: &'t str) -> Result<(), &'static str> {
    if target.is_empty() || target.len() > TARGET_MAX || target.contains('\0') {
        return Err("link has no sane target");
    }
    if target.starts_with('/') {
        return Err("link is absolute");
    }
    todo.extend(target.split('/').rev());
    Ok(())
}

#[cfg(test)]
mod tests;
