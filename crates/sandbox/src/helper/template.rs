//! Templates as the helper knows them: who is one, which forks are under way, and whose children live.

use std::{
    collections::{HashMap, HashSet},
    io,
    os::fd::{AsFd, OwnedFd},
};

use anyfn_types::InstanceId;
use rustix::{
    event::epoll,
    process::{
        Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, WaitOptions, kill_process, pidfd_open,
        pidfd_send_signal, wait, waitid,
    },
};

use super::{
    fork::{self, Word},
    instance::{Instance, places},
};
use crate::{
    cgroup::{Cgroups, Group},
    inside::{Common, Ids, Plan, Tmp, template::enter},
    packet,
    proto::{self, Answer, Fault},
    sys::process::{Cloned, Image, clone_process},
};

/// Events of templates count from here; others are below.
pub(super) const FIRST_TOKEN: u64 = 1 << 62;
/// Not user and pid: see `inside::template`.
const NAMESPACES: libc::c_int =
    libc::CLONE_NEWNS | libc::CLONE_NEWIPC | libc::CLONE_NEWUTS | libc::CLONE_NEWNET;
const TEMPLATES_MAX: usize = 256;

/// What the desk has to tell the server.
#[derive(Debug)]
pub(super) enum News {
    Answer(u64, Result<Answer, Fault>),
    Exited { instance: InstanceId, process: u32, code: Option<i32>, signal: Option<i32> },
    Gone(u64),
}

#[derive(Debug, Default)]
pub(super) struct Templates {
    all: HashMap<u64, Template>,
    tokens: HashMap<u64, Event>,
    next_token: u64,
    /// Forked processes of each sandbox.
    forked: HashMap<InstanceId, Vec<(u64, i32)>>,
    /// Children of templates that ended; they are the helper's now. None: strays, killed, only to be reaped.
    orphans: HashMap<u64, Orphan>,
    /// The host's own folders hold nothing that others may write.
    system_checked: bool,
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Word(u64),
    End(u64),
}

#[derive(Debug)]
struct Template {
    pidfd: OwnedFd,
    control: OwnedFd,
    group: Group,
    /// Who waits for it to be ready.
    waiting: Option<u64>,
    why: Option<Fault>,
    serial: u32,
    pending: HashMap<u32, Pending>,
    children: HashMap<i32, Child>,
    tokens: [u64; 2],
}

/// A fork under way: done when the child is known and has become a process of the sandbox.
#[derive(Debug)]
struct Pending {
    ask: u64,
    instance: InstanceId,
    process: u32,
    child: Option<(i32, OwnedFd)>,
    became: bool,
}

#[derive(Debug)]
struct Child {
    instance: InstanceId,
    process: u32,
    pidfd: OwnedFd,
}

/// Its pidfd, and whose it is.
type Orphan = (OwnedFd, Option<(InstanceId, u32)>);

impl Templates {
    /// Clones a template; `News` tells when it is ready.
    pub(super) fn start(
        &mut self,
        spec: &proto::Template,
        ask: u64,
        (common, cgroups, epoll): (&Common, &Cgroups, &OwnedFd),
    ) -> Result<(), Fault> {
        if self.all.len() >= TEMPLATES_MAX || self.all.contains_key(&spec.id) {
            return Err(Fault::Refused("this template exists, or there are too many".into()));
        }
        let at = |step: &str, e: &io::Error| Fault::Step {
            step: step.into(),
            errno: e.raw_os_error().unwrap_or(libc::EIO),
        };
        let image =
            Image::new(&spec.argv, &spec.env, "/").map_err(|_| Fault::Refused("no such argv".into()))?;
        // Children of a template that ended become the helper's, so that their ends can be told.
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
            .map_err(|e| at("adopt orphans", &e.into()))?;
        let group = cgroups
            .create(&format!("template-{}", spec.id), spec.root.limits())
            .map_err(|e| at("make a cgroup", &e))?;
        let started = launch(&spec.root, common, &group, (&image, self.system_checked));
        let (pidfd, control) = match started {
            Ok(both) => both,
            Err(e) => {
                let _ = group.remove();
                return Err(at("clone", &e));
            }
        };
        let tokens = [self.token(Event::Word(spec.id)), self.token(Event::End(spec.id))];
        let watched = rustix::io::ioctl_fionbio(&control, true).and_then(|()| {
            for (fd, token) in [(&control, tokens[0]), (&pidfd, tokens[1])] {
                epoll::add(epoll, fd, epoll::EventData::new_u64(token), epoll::EventFlags::IN)?;
            }
            Ok(())
        });
        let (pending, children) = Default::default();
        let waiting = Some(ask);
        let template =
            Template { pidfd, control, group, waiting, why: None, serial: 0, pending, children, tokens };
        if watched.is_err() {
            template.kill();
        }
        self.all.insert(spec.id, template);
        watched.map_err(|e| at("watch the template", &e.into()))
    }

    fn token(&mut self, event: Event) -> u64 {
        let token = FIRST_TOKEN + self.next_token;
        self.next_token += 1;
        self.tokens.insert(token, event);
        token
    }

    /// Its end is an event. False if there is none.
    pub(super) fn end(&self, id: u64) -> bool {
        self.all.get(&id).inspect(|template| template.kill()).is_some()
    }

    /// Orders a fork; `News` tells when it is done.
    pub(super) fn fork(
        &mut self,
        (template, ask): (u64, u64),
        (id, process, into): (InstanceId, u32, &Instance),
        (fds, numbers): (&[OwnedFd], &[i32]),
    ) -> Result<(), Fault> {
        fork::check(fds, numbers).map_err(Fault::Refused)?;
        let template =
            self.all.get_mut(&template).filter(|t| t.waiting.is_none()).ok_or(Fault::TemplateGone)?;
        template.serial = template.serial.wrapping_add(1);
        match fork::order(&template.control, template.serial, into, fds, numbers) {
            Ok(()) => {
                let pending = Pending { ask, instance: id, process, child: None, became: false };
                template.pending.insert(template.serial, pending);
                Ok(())
            }
            // The second if it had not read all of its orders.
            Err(e) if matches!(e.raw_os_error(), Some(libc::EPIPE | libc::ECONNRESET)) => {
                Err(Fault::TemplateGone)
            }
            Err(e) => {
                Err(Fault::Step { step: "order a fork".into(), errno: e.raw_os_error().unwrap_or(libc::EIO) })
            }
        }
    }

    pub(super) fn signal(&self, id: InstanceId, process: u32, signal: Signal) {
        let ours = self.forked.get(&id).into_iter().flatten();
        let of_templates = ours.filter_map(|(template, pid)| self.all.get(template)?.children.get(pid));
        let mut of_templates =
            of_templates.filter(|child| child.process == process).map(|child| &child.pidfd);
        let orphan = |(_, whose): &&Orphan| *whose == Some((id, process));
        let found =
            of_templates.next().or_else(|| self.orphans.values().find(orphan).map(|(pidfd, _)| pidfd));
        if let Some(pidfd) = found {
            let _ = pidfd_send_signal(pidfd, signal);
        }
    }

    /// A sandbox is gone, and with it all that was in its pid namespace.
    pub(super) fn forget(&mut self, id: InstanceId) {
        for (template, pid) in self.forked.remove(&id).unwrap_or_default() {
            if let Some(template) = self.all.get_mut(&template) {
                template.children.remove(&pid);
            }
        }
    }

    /// Something happened to a template or an orphan. `others` are the helper's children that are neither.
    pub(super) fn event(
        &mut self,
        token: u64,
        epoll: &OwnedFd,
        others: impl FnOnce() -> HashSet<i32>,
    ) -> Vec<News> {
        if let Some((pidfd, whose)) = self.orphans.remove(&token) {
            let _ = epoll::delete(epoll, &pidfd);
            let (code, signal) = ended(&pidfd);
            let told = whose.map(|(instance, process)| News::Exited { instance, process, code, signal });
            return told.into_iter().collect();
        }
        match self.tokens.get(&token) {
            Some(Event::Word(id)) => self.words(*id, epoll),
            Some(Event::End(id)) => {
                let news = self.ended(*id, epoll);
                self.kill_strays(others(), epoll);
                news
            }
            None => Vec::new(),
        }
    }

    /// Children that a template could not tell of any more. Nobody else would reap them, and a pid namespace does not end
    /// before everything in it is reaped.
    fn kill_strays(&mut self, mut known: HashSet<i32>, epoll: &OwnedFd) {
        let pids = |fds: &mut dyn Iterator<Item = &OwnedFd>| -> Vec<i32> {
            fds.filter_map(|pidfd| fork::pid_of(pidfd).ok()).collect()
        };
        known.extend(pids(&mut self.all.values().map(|template| &template.pidfd)));
        known.extend(pids(&mut self.orphans.values().map(|(pidfd, _)| pidfd)));
        for pid in children().into_iter().filter(|pid| !known.contains(&pid.as_raw_nonzero().get())) {
            // Ours, so its number is nobody else's until we reap it.
            if let Ok(pidfd) = pidfd_open(pid, PidfdFlags::empty()) {
                let _ = pidfd_send_signal(&pidfd, Signal::KILL);
                self.adopt(pidfd, None, epoll);
            }
        }
    }

    fn adopt(&mut self, pidfd: OwnedFd, whose: Option<(InstanceId, u32)>, epoll: &OwnedFd) {
        let token = FIRST_TOKEN + self.next_token;
        self.next_token += 1;
        if epoll::add(epoll, &pidfd, epoll::EventData::new_u64(token), epoll::EventFlags::IN).is_ok() {
            self.orphans.insert(token, (pidfd, whose));
        }
    }

    /// Everything that a template has said.
    fn words(&mut self, id: u64, epoll: &OwnedFd) -> Vec<News> {
        let mut news = Vec::new();
        let Some(template) = self.all.get_mut(&id) else { return news };
        loop {
            match fork::hear(template.control.as_fd()) {
                Ok(Some(word)) => {
                    self.system_checked |= matches!(word, Word::Ready);
                    news.extend(template.hear(id, word, &mut self.forked));
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return news,
                // It closed its end or talks nonsense: its end will be an event.
                Ok(None) | Err(_) => {
                    template.kill();
                    let _ = epoll::delete(epoll, &template.control);
                    return news;
                }
            }
        }
    }

    fn ended(&mut self, id: u64, epoll: &OwnedFd) -> Vec<News> {
        let mut news = self.words(id, epoll);
        let Some(mut template) = self.all.remove(&id) else { return news };
        let (code, signal) = ended(&template.pidfd);
        let _ = epoll::delete(epoll, &template.control);
        let _ = epoll::delete(epoll, &template.pidfd);
        for token in template.tokens {
            self.tokens.remove(&token);
        }
        if let Some(ask) = template.waiting {
            let why = template.why.take().unwrap_or_else(|| early(code, signal));
            news.push(News::Answer(ask, Err(why)));
        }
        // Those of them that were born are strays.
        let lost = template.pending.into_values();
        news.extend(lost.map(|pending| News::Answer(pending.ask, Err(Fault::TemplateGone))));
        for (pid, child) in template.children {
            if let Some(list) = self.forked.get_mut(&child.instance) {
                list.retain(|known| *known != (id, pid));
            }
            self.adopt(child.pidfd, Some((child.instance, child.process)), epoll);
        }
        // A child that was born and not yet elsewhere leaves in a moment; if not, the next helper cleans up.
        let _ = template.group.remove();
        news.push(News::Gone(id));
        news
    }

    /// Kills all.
    pub(super) fn kill(&self) {
        self.all.values().for_each(Template::kill);
    }

    /// When everything is reaped.
    pub(super) fn close(&mut self) {
        for (_, template) in self.all.drain() {
            let _ = template.group.remove();
        }
    }
}

/// The helper's own.
fn children() -> Vec<Pid> {
    let own = rustix::process::getpid().as_raw_nonzero();
    let text = std::fs::read_to_string(format!("/proc/self/task/{own}/children")).unwrap_or_default();
    text.split_whitespace().filter_map(|pid| pid.parse().ok().and_then(Pid::from_raw)).collect()
}

/// Kills and reaps every child; what these leave behind becomes a child too, and is next.
pub(super) fn reap_all() {
    loop {
        let children = children();
        for pid in &children {
            let _ = kill_process(*pid, Signal::KILL);
        }
        for _ in &children {
            let _ = wait(WaitOptions::empty());
        }
        if children.is_empty() {
            return;
        }
    }
}

impl Template {
    fn kill(&self) {
        let _ = pidfd_send_signal(&self.pidfd, Signal::KILL);
    }

    fn hear(
        &mut self,
        id: u64,
        word: Word,
        forked: &mut HashMap<InstanceId, Vec<(u64, i32)>>,
    ) -> Option<News> {
        let serial = match word {
            Word::Ready => return self.waiting.take().map(|ask| News::Answer(ask, Ok(Answer::Done))),
            Word::Failed { errno: 0, text } => {
                self.why = Some(Fault::Unsupported(text));
                return None;
            }
            Word::Failed { errno, text } => {
                self.why = Some(Fault::Step { step: format!("template: {text}"), errno });
                return None;
            }
            Word::Exited { pid, code, signal } => {
                let born = |pending: &&Pending| pending.child.as_ref().is_some_and(|(born, _)| *born == pid);
                if let Some(pending) = self.pending.values().find(born) {
                    // Before it was in its sandbox: that is what ended.
                    let ask = pending.ask;
                    self.pending.retain(|_, pending| pending.ask != ask);
                    return Some(News::Answer(ask, Err(Fault::Gone)));
                }
                let child = self.children.remove(&pid)?;
                if let Some(list) = forked.get_mut(&child.instance) {
                    list.retain(|known| *known != (id, pid));
                }
                let Child { instance, process, .. } = child;
                return Some(News::Exited { instance, process, code, signal });
            }
            Word::Forked { serial, pid, pidfd } => {
                self.pending.get_mut(&serial)?.child = Some((pid, pidfd));
                serial
            }
            Word::Became { serial, errno: 0, .. } => {
                self.pending.get_mut(&serial)?.became = true;
                serial
            }
            Word::Became { serial, errno, step } => {
                let ask = self.pending.remove(&serial)?.ask;
                let step = format!("fork a template, step {step}");
                return Some(News::Answer(ask, Err(Fault::Step { step, errno })));
            }
        };
        if !self.pending.get(&serial).is_some_and(|pending| pending.became && pending.child.is_some()) {
            return None;
        }
        let Pending { ask, instance, process, child, .. } = self.pending.remove(&serial)?;
        let (pid, pidfd) = child?;
        self.children.insert(pid, Child { instance, process, pidfd });
        forked.entry(instance).or_default().push((id, pid));
        Some(News::Answer(ask, Ok(Answer::Done)))
    }
}

fn launch(
    spec: &proto::Create,
    common: &Common,
    group: &Group,
    (image, system_checked): (&Image, bool),
) -> io::Result<(OwnedFd, OwnedFd)> {
    let (ours, control) = packet::pair()?;
    let (procs, cpu_procs, into) = places(group)?;
    match clone_process(NAMESPACES, into.as_ref().map(AsFd::as_fd))? {
        Cloned::Parent(pidfd) => Ok((pidfd, ours)),
        Cloned::Child => {
            let (tmp, ids) = (Tmp::Memory, Ids::Own(0));
            let plan = Plan { spec, common, control, procs, cpu_procs, tmp, ids, staged: None, tun: None };
            enter(&plan, image, system_checked)
        }
    }
}

/// How a process ended that is the helper's own child. If it is not, its template reaped it and died before it could tell.
fn ended(pidfd: &OwnedFd) -> (Option<i32>, Option<i32>) {
    match waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED) {
        Ok(Some(status)) => (status.exit_status(), status.terminating_signal()),
        _ => (None, Some(libc::SIGKILL)),
    }
}

fn early(code: Option<i32>, signal: Option<i32>) -> Fault {
    let how = match (code, signal) {
        (Some(code), _) => format!("with code {code}"),
        (None, signal) => format!("by signal {}", signal.unwrap_or(libc::SIGKILL)),
    };
    Fault::Refused(format!("the template ended {how} before it could be forked"))
}
