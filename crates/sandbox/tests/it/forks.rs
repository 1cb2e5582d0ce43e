//! Templates are forked into sandboxes; the children are as isolated as processes that init spawned.

use std::{fs::File, io::Write as _, os::fd::OwnedFd, path::Path, sync::Arc};

use anyfn_core::ports::{Bind, Exit, ExitKind, Isolation as _, ProcessId, Sandbox, Template, TemplateSpec};

use crate::house::{House, MIB, read_all, root};

/// Runs in its children what they are given on descriptor 5.
const PYTHON: &str = r#"
import ctypes, gc, os, random, ssl, tempfile, uuid, secrets
native = ctypes.PyDLL("/var/runtime/template.so")
fd = int(os.environ["ANYFN_TEMPLATE_FD"])
gc.collect(); gc.freeze()
if native.template_ready(fd) < 0: os._exit(70)
while (order := native.template_next(fd)) == 1:
    try: pid = os.fork()
    except OSError as e: pid = -(e.errno or 11)
    if pid == 0:
        if native.template_become() < 0: os._exit(71)
        break
    if native.template_forked(pid) < 0: os._exit(72)
else: os._exit(0 if order == 0 else 73)
with open(5) as f: script = f.read()
exec(compile(script, "<given>", "exec"), {"__name__": "__main__"})
"#;

pub(crate) fn python_spec(house: &House) -> TemplateSpec {
    spec(house.scratch.path(), &["/usr/bin/python3", "-I", "-S", "/var/runtime/template.py"])
}

fn spec(scratch: &Path, argv: &[&str]) -> TemplateSpec {
    let folder = scratch.join("runtime");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("template.so"), anyfn_zygote::PYTHON).unwrap();
    std::fs::write(folder.join("template.node"), anyfn_zygote::NODE).unwrap();
    std::fs::write(folder.join("template.py"), PYTHON).unwrap();
    TemplateSpec {
        name: "test".into(),
        argv: argv.iter().map(|a| (*a).to_owned()).collect(),
        env: vec![("PATH".into(), "/usr/bin:/bin".into())],
        binds: vec![Bind { source: folder, target: "/var/runtime".into() }],
        memory_bytes: 256 * MIB,
    }
}

pub(crate) async fn python_template(house: &House) -> Arc<dyn Template> {
    house.processes.template(python_spec(house)).await.unwrap()
}

fn pipe() -> (OwnedFd, OwnedFd) {
    rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap()
}

/// Forks a child that runs a script; gives what it prints on 1 and 2.
pub(crate) async fn start_fork(
    sandbox: &dyn Sandbox,
    template: &dyn Template,
    script: &str,
) -> (ProcessId, OwnedFd) {
    let (output, write) = pipe();
    let copy = write.try_clone().unwrap();
    let (read, mut input) = {
        let (r, w) = pipe();
        (r, File::from(w))
    };
    let process = sandbox.fork(template.id(), vec![(write, 1), (copy, 2), (read, 5)]).await.unwrap();
    input.write_all(script.as_bytes()).unwrap();
    (process, output)
}

pub(crate) async fn forked(sandbox: &dyn Sandbox, template: &dyn Template, script: &str) -> (Exit, String) {
    let (process, output) = start_fork(sandbox, template, script).await;
    let text = read_all(output).await;
    let exit = sandbox.next_exit().await.unwrap();
    assert_eq!(exit.process, Some(process), "{exit:?} {text}");
    (exit, text)
}

#[tokio::test]
async fn a_python_template_is_forked_into_a_sandbox() {
    if !root() {
        return;
    }
    let house = House::open().await;
    let template = python_template(&house).await;
    let sandbox = house.sandbox().await;
    let script = "import os\nprint(os.getuid(), os.getgid(), os.getgroups(), os.uname().nodename, os.getcwd(), flush=True)\nos._exit(7)";
    let (exit, text) = forked(&*sandbox, &*template, script).await;
    assert_eq!(text, "993 990 [] fn /\n");
    assert_eq!((exit.kind, exit.out_of_memory), (ExitKind::Code(7), false));
    sandbox.destroy().await.unwrap();
    drop(template);
    house.close().await;
}
