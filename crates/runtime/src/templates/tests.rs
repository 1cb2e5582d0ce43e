//! Templates over an isolation that only pretends.

use std::sync::atomic::{AtomicUsize, Ordering};

use anyfn_core::ports::{Capabilities, Sandbox, SandboxSpec, TemplateId};
use async_trait::async_trait;

use super::*;

#[derive(Default)]
struct Pretends {
    started: AtomicUsize,
    /// Ends all templates.
    death: Arc<Notify>,
    unsupported: bool,
}

struct One(TemplateId, Arc<Notify>);

#[async_trait]
impl Template for One {
    fn id(&self) -> TemplateId {
        self.0
    }

    async fn ended(&self) {
        self.1.notified().await;
    }
}

#[async_trait]
impl Isolation for Pretends {
    async fn create(&self, _: SandboxSpec) -> Result<Box<dyn Sandbox>, Error> {
        Err(Error::new(Kind::Unsupported, "sandbox_unsupported", "no sandboxes here"))
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    async fn template(&self, _: TemplateSpec) -> Result<Arc<dyn Template>, Error> {
        if self.unsupported {
            return Err(Error::new(Kind::Unsupported, "sandbox_unsupported", "no templates here"));
        }
        let number = self.started.fetch_add(1, Ordering::SeqCst);
        Ok(Arc::new(One(TemplateId(number as u64), self.death.clone())))
    }
}

fn recipe(minor: u32) -> Recipe {
    let key = Key { language: Language::Python, release: (3, minor), set: None };
    Recipe { key, interpreter: "/usr/bin/python3".to_owned(), bind: None, env: Vec::new() }
}

fn templates(max: usize) -> Arc<Templates> {
    Arc::new(Templates::new(Base::simulated(0, 1), PathBuf::from("/nowhere"), max))
}

const LONG: Duration = Duration::from_secs(3600);

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_a_template_and_one_that_died_comes_back() {
    let (templates, pretends) = (templates(2), Arc::new(Pretends::default()));
    let isolation: Arc<dyn Isolation> = pretends.clone();
    assert!(templates.get(&isolation, &recipe(11)).is_none());
    assert!(templates.until_up(&isolation, &recipe(11), LONG).await);
    assert_eq!(templates.get(&isolation, &recipe(11)).unwrap().id(), TemplateId(0));
    pretends.death.notify_waiters();
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert!(templates.get(&isolation, &recipe(11)).is_none(), "it is known to be dead");
    assert!(templates.until_up(&isolation, &recipe(11), LONG).await);
    assert_eq!(templates.get(&isolation, &recipe(11)).unwrap().id(), TemplateId(1));
}

#[tokio::test(start_paused = true)]
async fn their_number_is_bounded_and_the_unused_give_way() {
    let (templates, isolation) = (templates(1), Arc::new(Pretends::default()) as Arc<dyn Isolation>);
    assert!(templates.until_up(&isolation, &recipe(11), LONG).await);
    assert!(
        !templates.until_up(&isolation, &recipe(12), Duration::from_secs(1)).await,
        "the other one is in use"
    );
    tokio::time::sleep(UNUSED).await;
    assert!(templates.until_up(&isolation, &recipe(12), LONG).await);
    assert_eq!(templates.names(), ["python3.12"]);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_cannot_is_asked_once() {
    let pretends = Pretends { unsupported: true, ..Pretends::default() };
    let (templates, isolation) = (templates(2), Arc::new(pretends) as Arc<dyn Isolation>);
    assert!(!templates.until_up(&isolation, &recipe(11), LONG).await);
    assert!(!templates.until_up(&isolation, &recipe(12), LONG).await);
    assert!(templates.names().is_empty());
}
