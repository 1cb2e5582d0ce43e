//! Groups: create, delete, list, tags, retention.

use std::collections::BTreeMap;

use anyfn_core::ports::Expect;
use anyfn_types::{Kind, Millis, Namespace, Result};

use crate::{
    error::Fault,
    group::{GroupRecord, State, read_entry, read_record, write_record},
    logs::{Logs, Shared},
    names::{check_group, grave_key, group_key, log_name},
    retention::check_retention,
};

/// Records that are read at once while listing.
const SCAN: usize = 200;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupInfo {
    pub name: String,
    pub created: Millis,
    /// None: kept for ever.
    pub retention_days: Option<u16>,
    pub tags: BTreeMap<String, String>,
    /// Sizes of the events that are kept, each with 26 bytes of overhead.
    pub stored_bytes: u64,
}

/// Which groups to list, in the order of their names.
#[derive(Clone, Debug, Default)]
pub struct ListGroups {
    pub prefix: Option<String>,
    /// A part of the name, case-sensitive.
    pub pattern: Option<String>,
    /// At most this many, 1..=1000.
    pub limit: usize,
    /// `GroupPage::next` of the page before.
    pub token: Option<String>,
}

#[derive(Clone, Debug, Default)]
pub struct GroupPage {
    pub groups: Vec<GroupInfo>,
    pub next: Option<String>,
}

impl Logs {
    /// `log_group_exists` if it is there already.
    pub async fn create_group(
        &self,
        namespace: &Namespace,
        name: &str,
        tags: BTreeMap<String, String>,
    ) -> Result<()> {
        check_group(name)?;
        check_tags(&tags)?;
        let record = GroupRecord { tags, ..self.fresh_group(None) };
        let key = group_key(namespace, name);
        match self.0.records.put(&key, write_record(&record)?, Expect::Absent).await {
            Err(error) if error.kind == Kind::Precondition => Err(Fault::GroupExists.into()),
            Err(error) => Err(error),
            Ok(_) => Ok(()),
        }
    }

    /// The group goes at once; its events and streams are cleaned up before this returns, or by the next sweep.
    pub async fn delete_group(&self, namespace: &Namespace, name: &str) -> Result<()> {
        let mut held = self.group(namespace, name, None).await?;
        let id = held.record.id.clone();
        held.gone = true;
        let grave = write_record(&held.name)?;
        self.0.records.put(&grave_key(namespace, &id), grave, Expect::Any).await?;
        self.0.records.delete(&group_key(namespace, name), Expect::Any).await?;
        drop(held);
        self.bury(namespace, &id).await
    }

    pub async fn get_group(&self, namespace: &Namespace, name: &str) -> Result<GroupInfo> {
        let stored = self.0.records.get(&group_key(namespace, name)).await?.ok_or(Fault::NoGroup)?;
        info(&self.0, namespace, name, read_record(&stored)?).await
    }

    pub async fn list_groups(&self, namespace: &Namespace, request: &ListGroups) -> Result<GroupPage> {
        let base = group_key(namespace, "");
        let prefix = format!("{base}{}", request.prefix.as_deref().unwrap_or_default());
        let mut after = request.token.as_ref().map(|token| format!("{base}{token}"));
        let limit = request.limit.clamp(1, 1000);
        let mut page = GroupPage::default();
        loop {
            let found = self.0.records.scan(&prefix, after.as_deref(), SCAN).await?;
            let ended = found.len() < SCAN;
            for stored in found {
                let name = stored.key.strip_prefix(&base).unwrap_or_default();
                if request.pattern.as_ref().is_some_and(|part| !name.contains(part.as_str())) {
                    continue;
                }
                if page.groups.len() == limit {
                    page.next = page.groups.last().map(|last| last.name.clone());
                    return Ok(page);
                }
                page.groups.push(info(&self.0, namespace, name, read_record(&stored)?).await?);
                after = Some(stored.key);
            }
            if ended {
                return Ok(page);
            }
        }
    }

    /// None: keep for ever. See `RETENTION_DAYS` for what is allowed.
    pub async fn set_retention(&self, namespace: &Namespace, name: &str, days: Option<u16>) -> Result<()> {
        days.map_or(Ok(()), check_retention)?;
        let mut held = self.group(namespace, name, None).await?;
        let record = GroupRecord { retention_days: days, ..held.record.clone() };
        held.write_group(&self.0, record).await
    }

    /// Adds tags or changes their values.
    pub async fn tag_group(
        &self,
        namespace: &Namespace,
        name: &str,
        tags: BTreeMap<String, String>,
    ) -> Result<()> {
        let mut held = self.group(namespace, name, None).await?;
        let mut record = held.record.clone();
        record.tags.extend(tags);
        check_tags(&record.tags)?;
        held.write_group(&self.0, record).await
    }

    /// Takes tags away; those that are not there are no error.
    pub async fn untag_group(&self, namespace: &Namespace, name: &str, keys: &[String]) -> Result<()> {
        let mut held = self.group(namespace, name, None).await?;
        let mut record = held.record.clone();
        record.tags.retain(|key, _| !keys.contains(key));
        held.write_group(&self.0, record).await
    }
}

async fn info(shared: &Shared, namespace: &Namespace, name: &str, record: GroupRecord) -> Result<GroupInfo> {
    let stored_bytes = stored_bytes(shared, &State::log_of(namespace, &record)).await?;
    Ok(GroupInfo {
        name: name.to_owned(),
        created: record.created,
        retention_days: record.retention_days,
        tags: record.tags,
        stored_bytes,
    })
}

/// Each entry knows what came before it, so two entries tell the sum.
async fn stored_bytes(shared: &Shared, log: &str) -> Result<u64> {
    let (first, next) = shared.log.bounds(log).await?;
    let oldest = read_entry(shared, log, first).await?;
    let newest = read_entry(shared, log, next.wrapping_sub(1)).await?;
    Ok(match (oldest, newest) {
        (Some(oldest), Some(newest)) => {
            (newest.head.offset + newest.size()).saturating_sub(oldest.head.offset)
        }
        _ => 0,
    })
}

fn check_tags(tags: &BTreeMap<String, String>) -> Result<(), Fault> {
    let fits = |(key, value): (&String, &String)| {
        (1..=128).contains(&key.chars().count()) && value.chars().count() <= 256
    };
    if tags.len() <= 50 && tags.iter().all(fits) { Ok(()) } else { Err(Fault::Tags) }
}

impl Logs {
    /// Removes what a deleted group left, and then its grave.
    pub(crate) async fn bury(&self, namespace: &Namespace, id: &str) -> Result<()> {
        self.0.log.remove(&log_name(namespace, id)).await?;
        let prefix = crate::names::stream_key(namespace, id, "");
        loop {
            let found = self.0.records.scan(&prefix, None, SCAN).await?;
            let deletes = found.iter().map(|stored| self.0.records.delete(&stored.key, Expect::Any));
            futures_util::future::try_join_all(deletes).await?;
            if found.len() < SCAN {
                break;
            }
        }
        self.0.records.delete(&crate::names::checkpoint_key(namespace, id), Expect::Any).await?;
        self.0.records.delete(&grave_key(namespace, id), Expect::Any).await?;
        Ok(())
    }
}
