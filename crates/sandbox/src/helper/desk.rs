//! The helper's loop: requests of the server, ends of sandboxes.

use std::{
    collections::HashMap,
    io,
    mem::MaybeUninit,
    os::fd::{AsFd, OwnedFd},
    path::PathBuf,
};

use anyfn_types::InstanceId;
use rustix::event::epoll;

use super::{
    check, doctor, fork,
    furnish::{self, Home},
    giveback::{Leavings, Undertaker},
    instance::{self, Instance},
    stage::Stages,
    template::{self, News, Templates},
    tmp::Images,
    users::Users,
};
use crate::{
    cgroup::Cgroups,
    inside::{Common, Filters},
    packet::{self, PACKET_MAX, send_value},
    proto::{self, Answer, Ask, Create, Fault, Furnish, Hello, Limits, Request, Told},
};

/// The server's socket among the events; sandboxes count from 1.
const LINK: u64 = 0;

pub(super) struct Desk {
    link: OwnedFd,
    epoll: OwnedFd,
    /// What a server may ask to bind at most; None: what it says.
    allowed: Option<Vec<PathBuf>>,
    house: Option<House>,
}

/// What is there after the server's hello.
struct House {
    common: Common,
    cgroups: Cgroups,
    /// None: sandboxes have the helper's own user.
    users: Option<Users>,
    images: Images,
    leavings: Leavings,
    /// None: the helper closes everything by itself.
    undertaker: Option<Undertaker>,
    /// None: sandboxes cannot be furnished.
    home: Option<Home>,
    stages: Stages,
    instances: HashMap<InstanceId, (u64, Instance)>,
    tokens: HashMap<u64, InstanceId>,
    next: u64,
    templates: Templates,
}

impl Desk {
    pub(super) fn new(link: OwnedFd, allowed: Option<Vec<PathBuf>>) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &link, epoll::EventData::new_u64(LINK), epoll::EventFlags::IN)?;
        Ok(Self { link, epoll, allowed, house: None })
    }

    /// Until the server closes its end or says something that makes no sense.
    pub(super) fn run(&mut self) -> io::Result<()> {
        let served = self.serve();
        if let Some(house) = &mut self.house {
            house.close();
        }
        served
    }

    fn serve(&mut self) -> io::Result<()> {
        let mut buffer = vec![0; PACKET_MAX];
        loop {
            let mut events = [MaybeUninit::uninit(); 64];
            let patience = self.house.as_ref().and_then(House::patience);
            let ready: Vec<u64> = match epoll::wait(&self.epoll, &mut events, patience) {
                Err(rustix::io::Errno::INTR) => continue,
                other => other?.0.iter().map(|event| event.data.u64()).collect(),
            };
            if let Some(house) = &mut self.house
                && (ready.is_empty() || house.leavings.piled_up())
                && let Err(e) = house.work()
            {
                self.tell(&Told::Note(format!("a cgroup could not be removed: {e}")))?;
            }
            // Ends first: what they give back may be what the next request needs.
            for token in ready.iter().filter(|token| **token != LINK) {
                self.ended(*token)?;
            }
            if ready.contains(&LINK) {
                let Some((len, fds)) = packet::receive(self.link.as_fd(), &mut buffer)? else {
                    return Ok(());
                };
                let ask: Ask = packet::decode(&buffer[..len])?;
                self.answer(ask, &fds)?;
            }
        }
    }

    fn tell(&self, told: &Told) -> io::Result<()> {
        send_value(&self.link, told, &[])
    }

    fn answer(&mut self, ask: Ask, fds: &[OwnedFd]) -> io::Result<()> {
        let id = ask.id;
        let result = match (&mut self.house, ask.what) {
            (None, Request::Hello(hello)) => self.hello(&hello),
            (None, _) | (Some(_), Request::Hello(_)) => Err(Fault::Refused("one hello comes first".into())),
            (Some(house), Request::Create(spec)) => match house.create(&spec, &self.epoll) {
                Err(fault) => Err(fault),
                Ok(control) => {
                    let told = Told::Answer { id, result: Ok(Answer::Created) };
                    return send_value(&self.link, &told, &[control.as_fd()]);
                }
            },
            (Some(house), Request::Furnish(with)) => house.furnish(&with),
            (Some(house), Request::Limit(instance, limits)) => house.limit(instance, limits),
            (Some(house), Request::Freeze(instance)) => house.freeze(instance, true),
            (Some(house), Request::Thaw(instance)) => house.freeze(instance, false),
            (Some(house), Request::Usage(instance)) => house.usage(instance),
            (Some(house), Request::Destroy(instance)) => {
                if house.destroy(instance, id) {
                    return Ok(());
                }
                // A server that gave up on a `Create` does not know whether there ever was one.
                let signal = Some(libc::SIGKILL);
                self.tell(&Told::Gone { instance, code: None, signal, out_of_memory: false })?;
                Ok(Answer::Done)
            }
            (Some(house), Request::Template(spec)) => match house.template(&spec, id, &self.epoll) {
                Ok(()) => return Ok(()),
                Err(fault) => Err(fault),
            },
            (Some(house), Request::EndTemplate(template)) => {
                if !house.templates.end(template) {
                    // Refused, or given up before it was asked for.
                    self.tell(&Told::TemplateGone(template))?;
                }
                Ok(Answer::Done)
            }
            (Some(house), Request::Fork { instance, template, process, fds: numbers }) => {
                match house.fork((template, id), (instance, process), (fds, &numbers)) {
                    Ok(()) => return Ok(()),
                    Err(fault) => Err(fault),
                }
            }
            (Some(house), Request::Signal { instance, process, signal }) => {
                if let Some(signal) = rustix::process::Signal::from_named_raw(signal) {
                    house.templates.signal(instance, process, signal);
                }
                Ok(Answer::Done)
            }
        };
        self.tell(&Told::Answer { id, result })
    }

    fn hello(&mut self, hello: &Hello) -> Result<Answer, Fault> {
        check::hello(hello, self.allowed.as_deref()).map_err(Fault::Refused)?;
        let own_users = doctor::own_users(hello.mode).map_err(Fault::Refused)?;
        let filters = Filters::compile().map_err(|e| step("compile the system call filter", &e))?;
        let house = House {
            common: Common {
                allowed: self.allowed.clone(),
                bind_roots: hello.bind_roots.iter().map(PathBuf::from).collect(),
                runtime_prefixes: hello.runtime_prefixes.iter().map(PathBuf::from).collect(),
                filters,
            },
            cgroups: Cgroups::open(&hello.cgroup_name).map_err(|e| Fault::Refused(e.to_string()))?,
            users: own_users.then(|| Users::new(&hello.cgroup_name)),
            images: Images::new(&hello.scratch_dir, hello.spare_tmp, own_users),
            leavings: Leavings::default(),
            undertaker: Undertaker::start().ok(),
            home: if own_users { Home::find().ok() } else { None },
            stages: Stages::default(),
            instances: HashMap::new(),
            tokens: HashMap::new(),
            next: LINK + 1,
            templates: Templates::default(),
        };
        let furnish = house.home.is_some();
        let mut parts = doctor::parts(own_users, &house.cgroups, &house.images);
        parts.push(doctor::stock(furnish));
        self.house = Some(house);
        Ok(Answer::Hello { parts, furnish })
    }

    /// A sandbox's init ended: the server hears of it; what it leaves is put away later.
    fn ended(&mut self, token: u64) -> io::Result<()> {
        if token >= template::FIRST_TOKEN {
            return self.template_event(token);
        }
        let Some(house) = &mut self.house else { return Ok(()) };
        let Some(id) = house.tokens.remove(&token) else { return Ok(()) };
        let Some((_, instance)) = house.instances.remove(&id) else { return Ok(()) };
        epoll::delete(&self.epoll, &instance.pidfd)?;
        house.templates.forget(id);
        let waiting = instance.waiting.clone();
        let (end, out_of_memory) = (instance.reap(), instance.group.out_of_memory());
        house.give_back(instance);
        self.tell(&Told::Gone { instance: id, code: end.code, signal: end.signal, out_of_memory })?;
        for ask in waiting {
            self.tell(&Told::Answer { id: ask, result: Ok(Answer::Done) })?;
        }
        Ok(())
    }
}

impl Desk {
    fn template_event(&mut self, token: u64) -> io::Result<()> {
        let Some(house) = &mut self.house else { return Ok(()) };
        let inits = house.instances.values();
        let inits = || inits.filter_map(|(_, instance)| instance.pid().ok()).collect();
        for news in house.templates.event(token, &self.epoll, inits) {
            let told = match news {
                News::Answer(id, result) => Told::Answer { id, result },
                News::Gone(template) => Told::TemplateGone(template),
                News::Exited { instance, process, code, signal } => {
                    let Some((_, found)) = self.house.as_ref().and_then(|h| h.instances.get(&instance))
                    else {
                        continue;
                    };
                    let bad = code != Some(0);
                    let out_of_memory = bad && found.group.out_of_memory();
                    Told::Exited { instance, process, code, signal, out_of_memory }
                }
            };
            self.tell(&told)?;
        }
        Ok(())
    }
}

const NOW: rustix::event::Timespec = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };

fn step(step: &str, source: &io::Error) -> Fault {
    Fault::Step { step: step.to_owned(), errno: source.raw_os_error().unwrap_or(libc::EIO) }
}

impl House {
    fn create(&mut self, spec: &Create, epoll: &OwnedFd) -> Result<OwnedFd, Fault> {
        check::create(spec, &self.common.bind_roots).map_err(Fault::Refused)?;
        if self.instances.contains_key(&spec.id) {
            return Err(Fault::Refused("this instance exists".into()));
        }
        let image =
            self.images.take(spec.tmp_bytes, spec.tmp_inodes).map_err(|e| step("make an image", &e))?;
        let user = match &mut self.users {
            None => None,
            Some(users) => Some(users.take().ok_or_else(|| Fault::Refused("no user id is free".into()))?),
        };
        let staging = self.home.as_ref().map(|home| (&mut self.stages, home));
        let started = instance::start(spec, &self.common, &self.cgroups, (user, image), staging);
        let (instance, control) = started.map_err(|e| {
            if let (Some(users), Some(user)) = (&mut self.users, user) {
                users.give_back(user);
            }
            step("clone", &e)
        })?;
        let token = self.next;
        self.next += 1;
        let watched =
            epoll::add(epoll, &instance.pidfd, epoll::EventData::new_u64(token), epoll::EventFlags::IN);
        self.tokens.insert(token, spec.id);
        self.instances.insert(spec.id, (token, instance));
        watched.map_err(|e| step("watch the sandbox", &e.into()))?;
        Ok(control)
    }

    fn furnish(&mut self, with: &Furnish) -> Result<Answer, Fault> {
        let Some(home) = &self.home else {
            return Err(Fault::Refused("sandboxes cannot be furnished here".into()));
        };
        check::furnish(with, &self.common.bind_roots).map_err(Fault::Refused)?;
        let (_, instance) = self.instances.get_mut(&with.id).ok_or(Fault::Gone)?;
        if instance.blank.is_none() {
            return Err(Fault::Refused("this sandbox is furnished".into()));
        }
        let done = furnish::furnish(instance, home, &self.common, with);
        match done {
            Ok(()) => Ok(Answer::Done),
            // It has ended, and the news is on its way.
            Err((_, e)) if e.raw_os_error() == Some(libc::ESRCH) => Err(Fault::Gone),
            Err((what, e)) => Err(step(what, &e)),
        }
    }

    fn limit(&mut self, id: InstanceId, limits: Limits) -> Result<Answer, Fault> {
        check::limits(limits).map_err(Fault::Refused)?;
        let (_, instance) = self.instances.get_mut(&id).ok_or(Fault::Gone)?;
        instance.group.limit(limits).map_err(|e| step("set limits", &e))?;
        instance.limits = limits;
        Ok(Answer::Done)
    }

    fn template(&mut self, spec: &proto::Template, ask: u64, epoll: &OwnedFd) -> Result<(), Fault> {
        if self.users.is_none() || !fork::able() {
            return Err(Fault::Unsupported(
                "the sandbox helper lacks the privileges to fork into sandboxes".into(),
            ));
        }
        // It is root for the host, and the server chooses what it runs.
        if self.common.allowed.is_some() {
            let why =
                "this sandbox helper serves another user, and a template would have the helper's rights";
            return Err(Fault::Unsupported(why.into()));
        }
        check::template(spec, &self.common.bind_roots).map_err(Fault::Refused)?;
        self.templates.start(spec, ask, (&self.common, &self.cgroups, epoll))
    }

    fn fork(
        &mut self,
        (template, ask): (u64, u64),
        (id, process): (InstanceId, u32),
        fds: (&[OwnedFd], &[i32]),
    ) -> Result<(), Fault> {
        let (_, instance) = self.instances.get(&id).ok_or(Fault::Gone)?;
        self.templates.fork((template, ask), (id, process, instance), fds)
    }

    fn find(&self, id: InstanceId) -> Result<&Instance, Fault> {
        self.instances.get(&id).map(|(_, instance)| instance).ok_or(Fault::Gone)
    }

    fn freeze(&self, id: InstanceId, frozen: bool) -> Result<Answer, Fault> {
        let done = self.find(id)?.group.freeze(frozen);
        done.map(|()| Answer::Done).map_err(|e| step(if frozen { "freeze" } else { "thaw" }, &e))
    }

    fn usage(&self, id: InstanceId) -> Result<Answer, Fault> {
        let used = self.find(id)?.group.used().map_err(|e| step("read the usage", &e))?;
        Ok(Answer::Usage {
            memory_bytes: used.memory_bytes,
            memory_peak_bytes: used.memory_peak_bytes,
            cpu_us: used.cpu_us,
            processes: used.processes,
            out_of_memory: used.out_of_memory,
        })
    }

    /// Whether the answer has to wait for the end.
    fn destroy(&mut self, id: InstanceId, ask: u64) -> bool {
        let Some((_, instance)) = self.instances.get_mut(&id) else { return false };
        instance.kill();
        instance.waiting.push(ask);
        true
    }

    /// Nothing runs in it any more.
    fn give_back(&mut self, instance: Instance) {
        let Instance { group, user, image, .. } = instance;
        if let (Some(users), Some(user)) = (&mut self.users, user) {
            users.give_back(user);
        }
        self.leavings.add(group);
        if let Some(image) = image.and_then(|image| self.images.give_back(image))
            && let Some(undertaker) = &self.undertaker
        {
            undertaker.bury(&image.descriptors());
        }
    }

    /// How long the helper may sleep; None: until something happens.
    fn patience(&self) -> Option<&'static rustix::event::Timespec> {
        if self.images.wants_work() { Some(&NOW) } else { self.leavings.patience() }
    }

    /// For an idle moment.
    fn work(&mut self) -> io::Result<()> {
        if self.images.wants_work() && !self.leavings.ready() {
            self.images.work();
            return Ok(());
        }
        self.leavings.work()
    }

    /// Kills all first, then waits for all, and then gives back. A sandbox's init does not end before all of its pid
    /// namespace is reaped, and what was forked into it is now this process's to reap.
    fn close(&mut self) {
        self.templates.kill();
        for (_, instance) in self.instances.values() {
            instance.kill();
        }
        template::reap_all();
        self.templates.close();
        for (_, (_, instance)) in std::mem::take(&mut self.instances) {
            instance.reap();
            self.give_back(instance);
        }
        self.leavings.finish();
        self.cgroups.close();
        self.images.close();
        if let Some(undertaker) = self.undertaker.take() {
            undertaker.finish();
        }
    }
}
