//! Functions as people see them.

use anyfn_engine::RecordQuery;
use anyfn_types::{Function, FunctionName, Namespace, Qualifier, Result, VersionState};

use crate::{
    api::{Described, FunctionSummary, VersionInfo},
    handle::Call,
};

/// How the guest's context object names the function. The namespace is `<account>.<region>`.
pub(crate) fn arn(namespace: &Namespace, name: &FunctionName, qualifier: Option<&Qualifier>) -> String {
    let (account, region) = namespace.as_str().split_once('.').unwrap_or((namespace.as_str(), "local"));
    let tail = qualifier.map(|q| format!(":{q}")).unwrap_or_default();
    format!("arn:aws:lambda:{region}:{account}:function:{name}{tail}")
}

pub(crate) fn summary(call: &Call<'_>, function: &Function) -> FunctionSummary {
    let latest = &function.latest;
    let (idle, busy, _) = call.services.engine.instances_of(latest.id);
    let state = match &latest.state {
        VersionState::Pending => "pending",
        VersionState::Active => "active",
        VersionState::Failed { .. } => "failed",
    };
    let base = &call.request.base_url;
    FunctionSummary {
        name: function.name.to_string(),
        namespace: function.namespace.to_string(),
        runtime: latest.config.runtime.clone(),
        handler: latest.config.handler.clone(),
        state: state.to_owned(),
        memory_mib: latest.config.memory_mib,
        timeout_ms: latest.config.timeout_ms,
        code_bytes: latest.code.size,
        modified: latest.modified,
        versions: function.versions.len(),
        url: function.urls.get("").map(|url| format!("{base}/_url/{}/", url.id)),
        instances: idle + busy,
    }
}

pub(crate) async fn describe(call: &Call<'_>, function: &Function) -> Result<Described> {
    let services = call.services;
    let (idle, busy, starting) = services.engine.instances_of(function.latest.id);
    let depth = services.engine.event_depth(function).await?;
    let mut published = Vec::new();
    for number in function.versions.keys().rev().take(20) {
        let version = services.registry.version(function, *number).await?;
        let code_sha256 = version.code.digest.base64();
        published.push(VersionInfo { version: number.to_string(), code_sha256, modified: version.modified });
    }
    let query = RecordQuery {
        namespace: function.namespace.clone(),
        function: Some(function.name.clone()),
        limit: 10,
    };
    services.engine.flush_records().await;
    let recent = services.engine.records(query).await?;
    let notice = match &function.latest.state {
        VersionState::Failed { reason, .. } => Some(reason.clone()),
        _ => function.latest.notice.clone(),
    };
    let aliases = function.aliases.values().map(|a| (a.name.clone(), version_text(a.version))).collect();
    Ok(Described {
        summary: summary(call, function),
        description: function.latest.config.description.clone(),
        code_sha256: function.latest.code.digest.base64(),
        isolation: function.latest.config.placement.tier,
        calls_max: function.latest.config.placement.calls_max,
        notice,
        env: function.latest.config.env.keys().cloned().collect(),
        published,
        aliases,
        tags: function.tags.clone(),
        reserved_concurrency: function.reserved,
        idle,
        busy,
        starting,
        events_ready: depth.ready,
        events_delayed: depth.delayed,
        events_leased: depth.leased,
        events_dead: depth.dead,
        recent,
    })
}

fn version_text(number: u64) -> String {
    if number == 0 { "$LATEST".to_owned() } else { number.to_string() }
}
