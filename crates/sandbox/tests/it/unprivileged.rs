//! The same without root: a user namespace of the helper's own user, and what the host cannot give is said.

use anyfn_core::ports::{ExitKind, Isolation as _};
use anyfn_sandbox::{HelperCommand, Mode};

use crate::house::{HELPER, House, open_file_as_guest, python, root, run, start};

/// The helper as user 65534, from a copy that this user may execute.
fn nobody(copy: &str) -> HelperCommand {
    let argv =
        ["/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", copy];
    HelperCommand::Exec(argv.map(str::to_owned).to_vec())
}

#[tokio::test]
async fn an_unprivileged_helper_isolates_and_says_what_is_missing() {
    if !root() {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let copy = place.path().join("helper");
    std::fs::copy(HELPER, &copy).unwrap();
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let command = nobody(copy.to_str().unwrap());
    let house = House::with(|options| (options.helper, options.mode) = (command, Mode::Auto)).await;
    let capabilities = house.processes.capabilities();
    let missing: Vec<&str> =
        capabilities.parts.iter().filter(|(_, here, _)| !here).map(|(name, ..)| name.as_str()).collect();
    // Whether others may open the tun device is the host's choice.
    let missing: Vec<&str> = missing.into_iter().filter(|name| *name != "tun device").collect();
    assert_eq!(missing, ["separate user ids", "cgroups", "disk-backed /tmp"]);
    assert!(!capabilities.complete());

    let sandbox = house.sandbox_with(|spec| spec.pids = 20).await;
    assert_eq!(run(&*sandbox, &["/bin/sh", "-c", "id -u; id -g"]).await.1, "993\n990\n");
    for path in ["/etc/shadow", "/root", "/proc/1/environ", "/sys/kernel"] {
        let said = open_file_as_guest(&*sandbox, path).await;
        assert!(["ENOENT", "EACCES", "EISDIR"].contains(&said.as_str()), "{path}: {said}");
    }
    let (_, status) = run(&*sandbox, &["/bin/cat", "/proc/self/status"]).await;
    assert!(status.contains("CapEff:\t0000000000000000") && status.contains("CapBnd:\t0000000000000000"));
    // /tmp is memory with the same quota.
    let full =
        "import os\ntry: open('/tmp/x', 'wb').write(b'x' * (80 << 20))\nexcept OSError as e: print(e.errno)";
    assert_eq!(python(&*sandbox, full).await, "28\n");
    // The only bound on processes is the one per user namespace.
    let bomb = "import os\nn = 0\ntry:\n  while os.fork(): n += 1\n  os.read(0, 1); os._exit(0)\nexcept BlockingIOError: print(n < 20)";
    let (exit, text) = run(&*sandbox, &["/usr/bin/python3", "-I", "-S", "-c", bomb]).await;
    assert_eq!((exit.kind, text.as_str()), (ExitKind::Code(0), "True\n"));
    // Without a freezer guests are stopped and continued by signals.
    let (_, _output) = start(&*sandbox, &["/bin/sleep", "1000"]).await;
    sandbox.freeze().await.unwrap();
    let states = "import os\nfor p in os.listdir('/proc'):\n  if p.isdigit() and int(p) != os.getpid(): print(open(f'/proc/{p}/stat').read().split()[2])";
    assert_eq!(python(&*sandbox, states).await, "T\n");
    sandbox.thaw().await.unwrap();
    assert_eq!(python(&*sandbox, states).await, "S\n");
    sandbox.destroy().await.unwrap();
    house.close().await;
}

#[tokio::test]
async fn privileged_mode_is_refused_without_privileges() {
    if !root() {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let copy = place.path().join("helper");
    std::fs::copy(HELPER, &copy).unwrap();
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut options = crate::house::options("refused", place.path());
    options.helper = nobody(copy.to_str().unwrap());
    options.mode = Mode::Privileged;
    let base = anyfn_base::Base::system();
    let error = anyfn_sandbox::Processes::start(base.clone(), options).await.unwrap_err();
    assert_eq!(error.code, "sandbox_refused");
    crate::house::until("the useless helper is gone", || base.tasks.alive().is_empty()).await;
    assert!(error.public.contains("SYS_ADMIN"), "{}", error.public);
}
