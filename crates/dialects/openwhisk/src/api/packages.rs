//! `packages` and their bindings.

use anyfn_core::ports::Expect;
use anyfn_web::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Ctx, documents::Put};
use crate::{
    fault::{Fault, Result},
    model::{Binding, KeyValue, Meta, PACKAGES, Package, overlay, version_text},
    names::{ActionName, OWN, check},
};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PutPackage {
    #[serde(flatten)]
    common: Put,
    binding: Option<Binding>,
}

impl Ctx<'_> {
    pub(super) async fn list_packages(&self) -> Result<Response> {
        if self.namespace != self.who.namespace {
            let mut all = self.all::<Package>(PACKAGES).await?;
            all.retain(|(_, package)| package.common.publish);
            return self
                .page("packages", all.iter().map(|(name, one)| self.package_json(name, one)).collect());
        }
        let all = self.all::<Package>(PACKAGES).await?;
        self.page("packages", all.iter().map(|(name, one)| self.package_json(name, one)).collect())
    }

    fn package_json(&self, name: &str, one: &Package) -> Value {
        let mut shown = self.common_json(name, &one.common);
        shown["binding"] = one.binding.as_ref().map_or_else(|| json!(false), |binding| json!(binding));
        shown
    }

    pub(super) async fn get_package(&self, name: &str) -> Result<Response> {
        let one = self.shared.package(&self.namespace, name).await?.ok_or_else(Fault::not_found)?;
        if self.namespace != self.who.namespace && !one.common.publish {
            return Err(Fault::forbidden());
        }
        let home = self.shared.home(&self.who.namespace, Some(self.namespace.as_str()), Some(name)).await?;
        let mut shown = self.package_json(name, &one);
        shown["binding"] = one.binding.as_ref().map_or_else(|| json!({}), |binding| json!(binding));
        shown["parameters"] = json!(overlay(&home.parameters, &one.common.parameters));
        let mut actions = Vec::new();
        for (action, function) in self.actions_of(&home.namespace, home.package.as_deref()).await? {
            let meta = Meta::of(&function.latest);
            actions.push(json!({ "name": action.name, "version": meta.version_text(), "annotations": meta.annotations }));
        }
        shown["actions"] = json!(actions);
        shown["feeds"] = json!([]);
        Ok(anyfn_web::json(StatusCode::OK, &shown))
    }

    pub(super) async fn put_package(&self, name: &str) -> Result<Response> {
        self.own()?;
        check(name)?;
        let put: PutPackage = self.body()?;
        let binding = match &put.binding {
            Some(binding) if !binding.name.is_empty() => Some(self.bound(binding).await?),
            _ => None,
        };
        let before = self.shared.documents.get::<Package>(&self.namespace, PACKAGES, name).await?;
        let (mut one, expect) = self.editable(before)?;
        if binding.is_some() && one.common.version > 0 && one.binding.is_none() {
            return Err(Fault::conflict("Resource by this name exists but is not a package binding."));
        }
        put.common.apply(&mut one.common, self.shared.base.clock.wall())?;
        if let Some(binding) = binding {
            one.binding = Some(binding.clone());
            let own = KeyValue::new("binding", json!(binding));
            one.common.annotations = overlay(&one.common.annotations, &[own]);
        }
        self.put(PACKAGES, name, &one, expect).await?;
        Ok(anyfn_web::json(StatusCode::OK, &self.package_json(name, &one)))
    }

    /// A binding with its namespace; what it is bound to is a package that the caller may see.
    async fn bound(&self, binding: &Binding) -> Result<Binding> {
        let namespace = match binding.namespace.as_str() {
            OWN | "" => self.who.namespace.to_string(),
            named => named.to_owned(),
        };
        let text = "The package binding references a package that does not exist.";
        let owner = anyfn_types::Namespace::new(namespace.clone()).map_err(|_| Fault::invalid(text))?;
        let target = self.shared.package(&owner, &binding.name).await?.ok_or_else(|| Fault::invalid(text))?;
        if owner != self.who.namespace && !target.common.publish {
            return Err(Fault::forbidden());
        }
        if target.binding.is_some() {
            return Err(Fault::invalid("Cannot bind to another package binding."));
        }
        Ok(Binding { namespace, name: binding.name.clone() })
    }

    pub(super) async fn delete_package(&self, name: &str) -> Result<Response> {
        self.own()?;
        let one = self.shared.package(&self.namespace, name).await?.ok_or_else(Fault::not_found)?;
        if one.binding.is_none() {
            let actions = self.actions_of(&self.namespace, Some(name)).await?;
            if !actions.is_empty() && !self.query.flag("force", false)? {
                let text = format!(
                    "Package not empty (contains {} entities). Set force param or delete package contents.",
                    actions.len()
                );
                return Err(Fault::conflict(text));
            }
            for (_, function) in actions {
                self.shared.registry.delete(&self.namespace, &function.name).await?;
            }
        }
        self.shared.documents.delete(&self.namespace, PACKAGES, name, Expect::Any).await?;
        Ok(anyfn_web::json(StatusCode::OK, &self.package_json(name, &one)))
    }

    async fn actions_of(
        &self,
        namespace: &anyfn_types::Namespace,
        package: Option<&str>,
    ) -> Result<Vec<(ActionName, anyfn_types::Function)>> {
        let mut all = self.all_actions(namespace).await?;
        all.retain(|(action, _)| action.package.as_deref() == package);
        Ok(all)
    }
}

impl Ctx<'_> {
    pub(super) fn common_json(&self, name: &str, common: &crate::model::Common) -> Value {
        json!({ "namespace": self.namespace, "name": name, "version": version_text(common.version),
            "publish": common.publish, "annotations": common.annotations, "parameters": common.parameters,
            "updated": common.updated })
    }
}
