//! The Python bootstrap as byte code: to compile it takes about as long as to start the interpreter. Each interpreter that
//! is used compiles it once, after its first start, into a file that later starts run instead.

use std::{
    collections::BTreeSet,
    path::PathBuf,
    process::Stdio,
    sync::{Mutex, PoisonError},
};

use anyfn_base::{Base, TaskKind};

use crate::{
    interpreters::{Language, Release},
    plan::{PYTHON_BOOTSTRAP, Plan},
};

/// Compiles to a name of its own and renames, so that no guest ever sees half a file. Code that was checked when it was
/// written needs no check when it is run: its folder's name changes with the bootstrap.
const COMPILE: &str = "import os, py_compile, sys\n\
    source, shown, target = sys.argv[1:]\n\
    mode = getattr(py_compile, 'PycInvalidationMode').UNCHECKED_HASH\n\
    py_compile.compile(source, target + '.new', shown, True, invalidation_mode=mode)\n\
    os.chmod(target + '.new', 0o644)\n\
    os.rename(target + '.new', target)\n";

#[derive(Debug)]
pub(crate) struct Compiled {
    /// `/var/runtime` on the host.
    folder: PathBuf,
    begun: Mutex<BTreeSet<Release>>,
}

impl Compiled {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder, begun: Mutex::default() }
    }

    fn name((major, minor): Release) -> String {
        format!("bootstrap-{major}.{minor}.pyc")
    }

    /// Makes a plan run the byte code if it is there.
    pub(crate) fn apply(&self, plan: &mut Plan) {
        let Some((Language::Python, release)) = plan.language.filter(|_| plan.framed) else { return };
        let name = Self::name(release);
        if let Some(last) = plan.argv.last_mut().filter(|_| self.folder.join(&name).is_file()) {
            *last = format!("/var/runtime/{name}");
        }
    }

    /// Compiles in the background, once for each release; what fails is only slower.
    pub(crate) fn prepare(&self, base: &Base, release: Release, interpreter: PathBuf) {
        let target = self.folder.join(Self::name(release));
        let first = self.begun.lock().unwrap_or_else(PoisonError::into_inner).insert(release);
        if !first || target.is_file() {
            return;
        }
        let source = self.folder.join(PYTHON_BOOTSTRAP);
        let mut command = tokio::process::Command::new(interpreter);
        command.args(["-I", "-S", "-c", COMPILE]).arg(source).arg(format!("/var/runtime/{PYTHON_BOOTSTRAP}"));
        command.arg(target).env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.kill_on_drop(true);
        let compile = async move {
            if !command.status().await.is_ok_and(|status| status.success()) {
                tracing::debug!(?release, "the bootstrap could not be compiled");
            }
        };
        base.tasks.spawn(TaskKind::Background, "compile bootstrap", compile);
    }
}
