//! What a handler knows of its request.

use std::sync::Arc;

use anyfn_core::{Turn, function_not_found};
use anyfn_types::{Function, Qualifier, Version, VersionState};
use anyfn_web::Request;

use super::{
    DEFAULT_REGION, Services, Shared,
    arn::{Home, Wanted},
    fault::{Fault, lambda as say},
};

pub(crate) struct Ctx<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) request: &'a Request,
    pub(crate) home: Home,
}

/// A version that a request names, and how it named it.
pub(crate) struct At {
    pub(crate) function: Arc<Function>,
    pub(crate) version: Arc<Version>,
}

impl<'a> Ctx<'a> {
    pub(crate) fn new(shared: &'a Shared, request: &'a Request) -> Result<Self, Fault> {
        let region = request.region.as_deref().unwrap_or(DEFAULT_REGION);
        let home = Home::new(&request.caller.account, region)?;
        Ok(Self { shared, request, home })
    }

    pub(crate) fn services(&self) -> &'a Services {
        &self.shared.services
    }

    /// What the caller's key allows: calling functions is one right, everything else the other.
    pub(crate) fn allowed(&self, service: &str, operation: &str) -> Result<(), Fault> {
        let rights = self.request.caller.rights;
        let allowed = if operation.starts_with("Invoke") { rights.invoke } else { rights.admin };
        if allowed {
            return Ok(());
        }
        let who = format!("arn:{}:iam::{}:root", self.home.partition(), self.home.account);
        let text = format!("User: {who} is not authorized to perform: {service}:{operation}");
        Err(say::access_denied(text))
    }

    /// The function that a name means. A pending one is taken up again, in case a crash cut its activation short.
    pub(crate) async fn function(&self, wanted: &Wanted) -> Result<Arc<Function>, Fault> {
        let found = self.services().registry.get(&self.home.namespace, &wanted.name).await;
        let not_there = || say::function_not_found(&wanted.arn(&self.home));
        let function = found.map_err(|e| Fault::from(e).instead("function_not_found", not_there))?;
        if function.latest.state == VersionState::Pending {
            self.services().engine.activate(&function);
        }
        Ok(function)
    }

    /// The version that a name and qualifier mean; an alias means its first version.
    pub(crate) async fn at(&self, wanted: &Wanted) -> Result<At, Fault> {
        let function = self.function(wanted).await?;
        let not_there = || say::function_not_found(&wanted.arn(&self.home));
        let number = match wanted.parsed_qualifier()? {
            None | Some(Qualifier::Latest) => 0,
            Some(Qualifier::Version(number)) => number,
            Some(Qualifier::Alias(name)) => function.aliases.get(&name).ok_or_else(not_there)?.version,
        };
        let version = self.services().registry.version(&function, number).await;
        let version = version.map_err(|e| Fault::from(e).instead("version_not_found", not_there))?;
        Ok(At { function, version })
    }

    /// The right to change a function in several steps; other writers wait.
    pub(crate) async fn turn(&self, wanted: &Wanted) -> Turn {
        self.services().registry.turn(&self.home.namespace, &wanted.name).await
    }

    /// Changes a function's record.
    pub(crate) async fn update<T>(
        &self,
        wanted: &Wanted,
        mut change: impl FnMut(&mut Function) -> Result<T, Fault> + Send,
    ) -> Result<(Arc<Function>, T), Fault>
    where
        T: Send,
    {
        let mut refused = None;
        let result = self
            .services()
            .registry
            .update(&self.home.namespace, &wanted.name, |function| match change(function) {
                Ok(done) => Ok(done),
                Err(fault) => {
                    refused = Some(fault);
                    Err(function_not_found(&wanted.name))
                }
            })
            .await;
        match (result, refused) {
            (Ok(done), _) => Ok(done),
            (Err(_), Some(fault)) => Err(fault),
            (Err(error), None) => Err(Fault::from(error)
                .instead("function_not_found", || say::function_not_found(&wanted.arn(&self.home)))),
        }
    }

    pub(crate) fn revision(&self) -> String {
        self.services().registry.revision()
    }

    pub(crate) fn now(&self) -> u64 {
        self.services().base.clock.wall()
    }
}
