//! Log groups, how long they keep, and their tags.

use anyfn_aws_model::logs::{
    CreateLogGroupRequest, DeleteLogGroupRequest, DeleteRetentionPolicyRequest, DescribeLogGroupsRequest,
    DescribeLogGroupsResponse, ListTagsForResourceRequest, ListTagsForResourceResponse, LogGroup,
    PutRetentionPolicyRequest, TagResourceRequest, UntagResourceRequest,
};
use anyfn_logs::{GroupInfo, ListGroups};

use super::names::by_identifier;
use crate::api::{arn::Home, context::Ctx, fault::Fault, lambda::signed};

pub(super) async fn create_log_group(ctx: &Ctx<'_>, input: CreateLogGroupRequest) -> Result<(), Fault> {
    let name = input.log_group_name.unwrap_or_default();
    let tags = input.tags.unwrap_or_default().into_iter().collect();
    Ok(ctx.services().logs.create_group(&ctx.home.namespace, &name, tags).await?)
}

pub(super) async fn delete_log_group(ctx: &Ctx<'_>, input: DeleteLogGroupRequest) -> Result<(), Fault> {
    let name = input.log_group_name.unwrap_or_default();
    Ok(ctx.services().logs.delete_group(&ctx.home.namespace, &name).await?)
}

pub(super) async fn describe_log_groups(
    ctx: &Ctx<'_>,
    input: DescribeLogGroupsRequest,
) -> Result<DescribeLogGroupsResponse, Fault> {
    if let Some(identifiers) = input.log_group_identifiers {
        return named(ctx, &identifiers).await;
    }
    let request = ListGroups {
        prefix: input.log_group_name_prefix,
        pattern: input.log_group_name_pattern,
        limit: input.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(50),
        token: input.next_token,
    };
    let page = ctx.services().logs.list_groups(&ctx.home.namespace, &request).await?;
    let groups = page.groups.iter().map(|info| print(&ctx.home, info)).collect();
    Ok(DescribeLogGroupsResponse { log_groups: Some(groups), next_token: page.next })
}

async fn named(ctx: &Ctx<'_>, identifiers: &[String]) -> Result<DescribeLogGroupsResponse, Fault> {
    let mut groups = Vec::with_capacity(identifiers.len());
    for identifier in identifiers {
        let name = by_identifier(&ctx.home, identifier)?;
        let info = ctx.services().logs.get_group(&ctx.home.namespace, &name).await?;
        groups.push(print(&ctx.home, &info));
    }
    Ok(DescribeLogGroupsResponse { log_groups: Some(groups), next_token: None })
}

fn print(home: &Home, info: &GroupInfo) -> LogGroup {
    let arn = home.log_group(&info.name);
    LogGroup {
        log_group_name: Some(info.name.clone()),
        creation_time: Some(signed(info.created)),
        retention_in_days: info.retention_days.map(Into::into),
        metric_filter_count: Some(0),
        arn: Some(format!("{arn}:*")),
        stored_bytes: Some(signed(info.stored_bytes)),
        log_group_class: Some("STANDARD".to_owned()),
        log_group_arn: Some(arn),
        ..LogGroup::default()
    }
}

pub(super) async fn put_retention_policy(ctx: &Ctx<'_>, input: PutRetentionPolicyRequest) -> Result<(), Fault> {
    let name = input.log_group_name.unwrap_or_default();
    // What does not fit is no allowed number of days either.
    let days = input.retention_in_days.and_then(|days| u16::try_from(days).ok()).unwrap_or(0);
    Ok(ctx.services().logs.set_retention(&ctx.home.namespace, &name, Some(days)).await?)
}

pub(super) async fn delete_retention_policy(
    ctx: &Ctx<'_>,
    input: DeleteRetentionPolicyRequest,
) -> Result<(), Fault> {
    let name = input.log_group_name.unwrap_or_default();
    Ok(ctx.services().logs.set_retention(&ctx.home.namespace, &name, None).await?)
}

pub(super) async fn list_tags_for_resource(
    ctx: &Ctx<'_>,
    input: ListTagsForResourceRequest,
) -> Result<ListTagsForResourceResponse, Fault> {
    let name = by_identifier(&ctx.home, &input.resource_arn.unwrap_or_default())?;
    let info = ctx.services().logs.get_group(&ctx.home.namespace, &name).await?;
    Ok(ListTagsForResourceResponse { tags: Some(info.tags.into_iter().collect()) })
}

pub(super) async fn tag_resource(ctx: &Ctx<'_>, input: TagResourceRequest) -> Result<(), Fault> {
    let name = by_identifier(&ctx.home, &input.resource_arn.unwrap_or_default())?;
    let tags = input.tags.unwrap_or_default().into_iter().collect();
    Ok(ctx.services().logs.tag_group(&ctx.home.namespace, &name, tags).await?)
}

pub(super) async fn untag_resource(ctx: &Ctx<'_>, input: UntagResourceRequest) -> Result<(), Fault> {
    let name = by_identifier(&ctx.home, &input.resource_arn.unwrap_or_default())?;
    let keys = input.tag_keys.unwrap_or_default();
    Ok(ctx.services().logs.untag_group(&ctx.home.namespace, &name, &keys).await?)
}
