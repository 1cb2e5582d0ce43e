//! A helper that runs as root by itself, for servers without privileges.

use std::{
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    process::{Child, Command},
};

use anyfn_base::Base;
use anyfn_core::ports::{Bind, Isolation as _};
use anyfn_sandbox::{HelperCommand, Processes};

use crate::house::{HELPER, House, cgroups, options, python, root, unique, until};

struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn a_served_helper_shows_only_what_its_owner_allowed() {
    if !root() {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let socket = place.path().join("helper.sock");
    let serve = ["serve", socket.to_str().unwrap(), "65534", place.path().to_str().unwrap()];
    let mut service = Service(Command::new(HELPER).args(serve).spawn().unwrap());
    until("the socket is there", || {
        socket.metadata().is_ok_and(|m| (m.uid(), m.permissions().mode() & 0o777) == (65534, 0o600))
    })
    .await;

    let base = Base::system();
    let name = unique("serve");
    let mut within = options(&name, place.path());
    within.helper = HelperCommand::Connect(socket.clone());
    let mut beyond = within.clone();
    beyond.bind_roots = vec!["/etc".into()];
    let error = Processes::start(base.clone(), beyond).await.unwrap_err();
    assert_eq!(error.code, "sandbox_refused");

    // Nor through a link among what the owner allowed.
    let link = place.path().join("link");
    std::os::unix::fs::symlink("/etc", &link).unwrap();
    let mut linked = within.clone();
    (linked.bind_roots, linked.cgroup_name) = (vec![link.clone()], unique("linked"));
    let processes = Processes::start(base.clone(), linked.clone()).await.unwrap();
    let mut spec = House::spec_of(&base);
    spec.binds.push(Bind { source: link.clone(), target: "/var/task".into() });
    assert_eq!(processes.create(spec).await.err().unwrap().code, "sandbox_failed");
    drop(processes);
    linked.bind_roots.clear();
    linked.cgroup_name = unique("linked");
    linked.runtime_prefixes = vec![link];
    let processes = Processes::start(base.clone(), linked).await.unwrap();
    assert_eq!(processes.create(House::spec_of(&base)).await.err().unwrap().code, "sandbox_failed");
    drop(processes);

    let processes = Processes::start(base.clone(), within).await.unwrap();
    let sandbox = processes.create(House::spec_of(&base)).await.unwrap();
    assert_eq!(python(&*sandbox, "print('served')").await, "served\n");
    // Who serves goes on without who listens; nobody new gets in.
    service.0.kill().unwrap();
    service.0.wait().unwrap();
    assert_eq!(python(&*sandbox, "print('still')").await, "still\n");
    let late = std::os::unix::net::UnixStream::connect(&socket).unwrap_err();
    // A stream to a packet socket: refused if nobody listens, else of the wrong type.
    assert_eq!(late.kind(), std::io::ErrorKind::ConnectionRefused, "{late}");
    sandbox.destroy().await.unwrap();
    drop(processes);
    let drained = base.tasks.drain(std::time::Duration::from_secs(20)).await;
    assert_eq!(drained.left.len(), 0);
    until("the cgroups are gone", || cgroups(&name).is_empty()).await;
}
