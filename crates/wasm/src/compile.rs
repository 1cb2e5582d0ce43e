//! Artifacts: machine code, made once per version by a compiler in a sandbox of its own, kept below the server's data
//! folder, written by nobody but the server. The folder of each namespace is its own: what came out of compiling a
//! tenant's bytes is only ever run for that tenant.

use std::{
    collections::HashMap,
    fs::{self, File},
    io,
    os::{
        fd::OwnedFd,
        unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    },
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyfn_base::Base;
use anyfn_core::ports::{Isolation, Network, ProcessSpec, Root, SandboxSpec};
use anyfn_types::{MIB, Namespace, Version};
use sha2::{Digest as _, Sha256};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::Semaphore,
};

use crate::{Error, Options, control::Flavor, host::argv, source};

/// Bytes of machine code. A JavaScript engine with its libraries has 40 MiB.
const ARTIFACT_MAX: u64 = 512 * MIB;
/// What the compiler tells about a failure.
const TEXT_MAX: usize = 4096;
/// Compilers at once: each may fill its memory.
const AT_ONCE: usize = 2;

/// A compiled function's file.
#[derive(Debug)]
pub(crate) struct Artifact {
    /// Names it towards the host process.
    pub(crate) key: String,
    pub(crate) flavor: Flavor,
    pub(crate) file: File,
}

/// Finds artifacts, and has them made.
pub(crate) struct Artifacts {
    base: Base,
    options: Options,
    making: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
    compilers: Semaphore,
}

/// What is to be compiled.
pub(crate) struct Wanted<'a> {
    pub(crate) namespace: &'a Namespace,
    pub(crate) version: &'a Version,
    pub(crate) code: &'a Root,
    pub(crate) isolation: &'a Arc<dyn Isolation>,
}

impl Artifacts {
    pub(crate) fn new(base: Base, options: Options) -> Self {
        Self { base, options, making: Mutex::default(), compilers: Semaphore::new(AT_ONCE) }
    }

    /// `<data>/wasm/<namespace>/<hash of code, file and engine>`.
    fn place(&self, wanted: &Wanted<'_>, path: &str) -> (String, PathBuf) {
        let mut hash = Sha256::new();
        let engine = &self.options.engine;
        for part in [&wanted.version.code.digest.0[..], path.as_bytes(), engine.as_bytes()] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        let key = hex::encode(hash.finalize());
        let tenant = hex::encode(Sha256::digest(wanted.namespace.as_str().as_bytes()));
        let file = self.options.state.join(&tenant[..32]).join(format!("{key}.code"));
        (key, file)
    }

    /// The artifact of a version, compiled now if it was not before. `fresh`: the one that is there was refused.
    pub(crate) async fn get(&self, wanted: &Wanted<'_>, fresh: bool) -> Result<Artifact, anyfn_types::Error> {
        let source = source::find(&wanted.code.path, &wanted.version.config.handler)?;
        let (key, place) = self.place(wanted, &source.path);
        let flavor = source.flavor;
        let open = || File::open(&place).map(|file| Artifact { key: key.clone(), flavor, file });
        if let (Ok(found), false) = (open(), fresh) {
            return Ok(found);
        }
        let turn = self.turn(&key);
        let _mine = turn.lock().await;
        if let (Ok(found), false) = (open(), fresh) {
            return Ok(found);
        }
        self.make(wanted, source, &place).await?;
        open().map_err(|e| Error::Keep(e).into())
    }

    fn turn(&self, key: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        making.retain(|_, turn| Arc::strong_count(turn) > 1);
        making.entry(key.to_owned()).or_default().clone()
    }

    async fn make(
        &self,
        wanted: &Wanted<'_>,
        source: source::Source,
        place: &std::path::Path,
    ) -> Result<(), anyfn_types::Error> {
        let _slot = self.compilers.acquire().await;
        let id = self.base.random.instance_id();
        let spec = SandboxSpec {
            id,
            hostname: "localhost".to_owned(),
            binds: Vec::new(),
            memory_bytes: self.options.compiler_memory_bytes,
            cpu_millis: self.options.cpu_millis,
            pids: 128,
            open_files: 256,
            tmp_bytes: MIB,
            tmp_inodes: 16,
            network: Network::None,
            listen: None,
        };
        let sandbox = wanted.isolation.create(spec).await?;
        let (output, writer) = io::pipe().map_err(Error::host("pipe"))?;
        let program = source::program(&self.options.program).map_err(Error::host("program"))?;
        let flavor = match source.flavor {
            Flavor::Component => "component",
            Flavor::Module => "module",
        };
        let fds: Vec<(OwnedFd, i32)> = vec![(program, 3), (source.file.into(), 0), (writer.into(), 1)];
        let argv = argv(&self.options, &["compile", flavor]);
        sandbox.spawn(ProcessSpec { argv, env: Vec::new(), cwd: "/".to_owned(), fds }).await?;
        let within = Duration::from_millis(self.options.compile_ms);
        let read = self.receive(output.into(), place);
        let result = match tokio::time::timeout(within, read).await {
            Ok(result) => result,
            Err(_) => Err(Error::Compile(format!("it took more than {} s", within.as_secs()))),
        };
        let ended = sandbox.destroy().await;
        if let Err(error) = ended {
            tracing::warn!(?error, "a compiler's sandbox was not given back");
        }
        Ok(result?)
    }

    /// The compiler's answer: a first byte (0: machine code follows, 1: a text), then the rest until it ends.
    async fn receive(&self, output: OwnedFd, place: &std::path::Path) -> Result<(), Error> {
        let mut output =
            tokio::net::unix::pipe::Receiver::from_owned_fd(output).map_err(Error::host("pipe"))?;
        let died = "the compiler ended without an answer (out of memory?)";
        match output.read_u8().await {
            Ok(0) => {}
            Ok(_) => {
                let mut text = Vec::new();
                let _cut = output.take(TEXT_MAX as u64).read_to_end(&mut text).await;
                return Err(Error::Compile(String::from_utf8_lossy(&text).trim().to_owned()));
            }
            Err(_) => return Err(Error::Compile(died.to_owned())),
        }
        let len = output.read_u64_le().await.map_err(|_| Error::Compile(died.to_owned()))?;
        if len > ARTIFACT_MAX {
            return Err(Error::Compile(format!("its machine code has more than {} MiB", ARTIFACT_MAX / MIB)));
        }
        let folder = place.parent().unwrap_or(place);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(Error::Keep)?;
        let draft = folder.join(format!(".{}", self.base.random.label(16)));
        let kept = keep(output, len, &draft)
            .await
            .and_then(|whole| if whole { fs::rename(&draft, place).map(|()| true) } else { Ok(false) });
        if !matches!(kept, Ok(true)) {
            let _not_there = fs::remove_file(&draft);
        }
        match kept {
            Ok(true) => Ok(()),
            Ok(false) => Err(Error::Compile(died.to_owned())),
            Err(error) => Err(Error::Keep(error)),
        }
    }
}

/// Writes exactly `len` bytes; false if the compiler ended before. Readable for all below a folder that is the server's
/// alone: host processes have another user and open the file by its descriptor.
async fn keep(
    output: tokio::net::unix::pipe::Receiver,
    len: u64,
    draft: &std::path::Path,
) -> io::Result<bool> {
    let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft)?;
    let mut file = tokio::fs::File::from_std(file);
    let copied = tokio::io::copy(&mut output.take(len), &mut file).await?;
    file.flush().await?;
    // Half an artifact after a power cut would be run as machine code.
    file.sync_all().await?;
    fs::set_permissions(draft, fs::Permissions::from_mode(0o444))?;
    Ok(copied == len)
}
