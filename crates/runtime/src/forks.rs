//! Whether a version's next instance may be forked from a template, and from which.
//!
//! A forked start must be the plain start, only sooner. So everything that could make a difference is looked at before
//! (`eligible`), one thing is asked of the first child of a version (whether the function brings modules that the template
//! has loaded already), and what turns out to differ is remembered per version and never tried again.

use std::{
    collections::{BTreeMap, VecDeque},
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyfn_base::{Base, Counter};
use anyfn_types::{Config, Tier, VersionId};

use crate::{
    interpreters::{Language, Release},
    plan::Plan,
    spares::Spares,
    templates::Templates,
};

/// How instances are forked.
#[derive(Clone, Debug)]
pub struct Forking {
    /// False: every instance is started from nothing.
    pub on: bool,
    /// What stands between functions at least, whatever they ask for.
    pub floor: Option<Tier>,
    /// Templates that may be up at once.
    pub templates_max: usize,
    /// Children that may wait, of all templates together.
    pub spares_max: usize,
    /// Children of each template that wait even when nobody has asked for a minute.
    pub spares_min: usize,
}

impl Default for Forking {
    fn default() -> Self {
        Self { on: true, floor: None, templates_max: 8, spares_max: 16, spares_min: 0 }
    }
}

/// Everything about forked starts.
#[derive(Debug)]
pub(crate) struct Forks {
    pub(crate) memory: Memory,
    pub(crate) templates: Arc<Templates>,
    pub(crate) spares: Arc<Spares>,
    pub(crate) options: Forking,
    pub(crate) counted: Counted,
}

/// Starts by how they were made.
#[derive(Debug)]
pub(crate) struct Counted {
    pub(crate) plain: Counter,
    pub(crate) forked: Counter,
    pub(crate) spare: Counter,
}

impl Forks {
    pub(crate) fn new(base: &Base, runtime_dir: PathBuf, options: Forking) -> Self {
        let count = |how| {
            base.metrics.counter(
                "anyfn_starts_total",
                "Starts of instances by how they were made.",
                &[("how", how)],
            )
        };
        Self {
            memory: Memory::default(),
            templates: Arc::new(Templates::new(base.clone(), runtime_dir, options.templates_max)),
            spares: Arc::new(Spares::new(base.clone(), options.spares_max, options.spares_min)),
            options,
            counted: Counted { plain: count("plain"), forked: count("fork"), spare: count("spare") },
        }
    }
}

/// Packages that a template has loaded beyond the standard library; None is the generic one.
pub(crate) type Set = Option<&'static str>;

/// Names a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    pub(crate) language: Language,
    pub(crate) release: Release,
    pub(crate) set: Set,
}

impl Key {
    /// `python3.11`, `python3.11+boto3`.
    pub(crate) fn name(&self) -> String {
        let runtime = crate::interpreters::name(self.language, self.release);
        self.set.map_or(runtime.clone(), |set| format!("{runtime}+{set}"))
    }
}

/// The set that a package leads to.
pub(crate) fn set_of(language: Language, package: &str) -> Set {
    match language {
        Language::Python => (package == "boto3").then_some("boto3"),
        Language::Node => package.starts_with("@aws-sdk/").then_some("aws-sdk"),
    }
}

/// The set of that name.
pub(crate) fn set_named(language: Language, name: &str) -> Option<&'static str> {
    let set = match language {
        Language::Python => "boto3",
        Language::Node => "aws-sdk",
    };
    (set == name).then_some(set)
}

/// Variables that an interpreter or its C library reads when it starts: a fork would come too late for them.
fn read_at_start(language: Language, name: &str) -> bool {
    const ANY: [&str; 7] = ["LD_", "GLIBC_", "MALLOC_", "LC_", "OPENSSL_", "LANG", "NLSPATH"];
    // Read when they are used, or applied by the child.
    const LATE: [&str; 3] = ["NODE_ENV", "NODE_PATH", "NODE_TLS_REJECT_UNAUTHORIZED"];
    let own = match language {
        Language::Python => name.starts_with("PYTHON"),
        Language::Node => {
            (name.starts_with("NODE") && !LATE.contains(&name))
                || name == "SSL_CERT_FILE"
                || name == "SSL_CERT_DIR"
        }
    };
    own || ANY.iter().any(|start| name.starts_with(start))
}

/// Why a version is started from nothing; None if it may be forked.
pub(crate) fn obstacle(config: &Config, plan: &Plan, floor: Option<Tier>) -> Option<&'static str> {
    let Some((language, release)) = plan.language.filter(|_| plan.framed) else {
        return Some("the package brings its own runtime");
    };
    let least = match language {
        // At-fork hooks.
        Language::Python => (3, 8),
        Language::Node => (18, 0),
    };
    let machine = if config.architecture == "arm64" { "aarch64" } else { config.architecture.as_str() };
    if config.placement.tier == Some(Tier::Process) || floor == Some(Tier::Process) {
        Some("its isolation is `process`")
    } else if release < least {
        Some("the interpreter is too old to be forked")
    } else if config.env.get("AWS_LAMBDA_EXEC_WRAPPER").is_some_and(|wrapper| !wrapper.is_empty()) {
        Some("it has a wrapper script")
    } else if config.env.keys().any(|name| read_at_start(language, name)) {
        Some("its environment changes how the interpreter starts")
    } else if !machine.is_empty() && machine != std::env::consts::ARCH {
        Some("it is for another architecture")
    } else {
        None
    }
}

/// Versions whose starts are remembered. What is forgotten is only asked again.
const REMEMBERED: usize = 16_384;

#[derive(Clone, Debug, Default)]
struct Known {
    /// Forking it is over.
    plain: bool,
    /// It brings modules of its own that a set has loaded.
    generic: bool,
    /// The set that its code loads.
    set: Set,
    /// Templates whose modules it does not bring.
    checked: Vec<Key>,
}

/// What the starts so far have shown.
#[derive(Debug, Default)]
pub(crate) struct Memory(Mutex<Versions>);

#[derive(Debug, Default)]
struct Versions {
    known: BTreeMap<VersionId, Known>,
    order: VecDeque<VersionId>,
}

impl Versions {
    fn of(&mut self, version: VersionId) -> &mut Known {
        if !self.known.contains_key(&version) {
            if self.order.len() >= REMEMBERED
                && let Some(oldest) = self.order.pop_front()
            {
                self.known.remove(&oldest);
            }
            self.order.push_back(version);
        }
        self.known.entry(version).or_default()
    }
}

/// How a version may be forked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Way {
    /// The template it wants.
    pub(crate) key: Key,
    /// What will do while that one is not up.
    pub(crate) instead: Option<Key>,
}

impl Memory {
    fn look(&self) -> MutexGuard<'_, Versions> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// None: not at all.
    pub(crate) fn way(&self, version: VersionId, language: Language, release: Release) -> Option<Way> {
        let seen = self.look();
        let known = seen.known.get(&version);
        if known.is_some_and(|known| known.plain) {
            return None;
        }
        let generic = Key { language, release, set: None };
        let set = known.and_then(|known| known.set.filter(|_| !known.generic));
        Some(match set {
            Some(set) => Way { key: Key { set: Some(set), ..generic }, instead: Some(generic) },
            None => Way { key: generic, instead: None },
        })
    }

    /// Whether the next child of this template must say if it suits.
    pub(crate) fn unchecked(&self, version: VersionId, key: Key) -> bool {
        !self.look().known.get(&version).is_some_and(|known| known.checked.contains(&key))
    }

    pub(crate) fn suits(&self, version: VersionId, key: Key) {
        let mut seen = self.look();
        let known = seen.of(version);
        if !known.checked.contains(&key) {
            known.checked.push(key);
        }
    }

    /// The function brings modules that this template has loaded.
    pub(crate) fn declined(&self, version: VersionId, key: Key) {
        let mut seen = self.look();
        let known = seen.of(version);
        match key.set {
            Some(_) => known.generic = true,
            None => known.plain = true,
        }
    }

    /// Whether this was not known.
    pub(crate) fn never_again(&self, version: VersionId) -> bool {
        !std::mem::replace(&mut self.look().of(version).plain, true)
    }

    /// What the function's code has loaded: names of packages, with commas between.
    pub(crate) fn learned(&self, version: VersionId, language: Language, packages: &str) {
        let set = packages.split(',').find_map(|package| set_of(language, package));
        let mut seen = self.look();
        let known = seen.known.get(&version).and_then(|known| known.set);
        if set.is_some() && known != set {
            seen.of(version).set = set;
        }
    }
}

#[cfg(test)]
mod tests;
