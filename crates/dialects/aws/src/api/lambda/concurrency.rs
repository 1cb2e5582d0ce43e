//! Concurrency that is set aside for a function, and the account's settings.

use anyfn_aws_model::lambda::{
    AccountLimit, AccountUsage, Concurrency, DeleteFunctionConcurrencyRequest, GetAccountSettingsRequest,
    GetAccountSettingsResponse, GetFunctionConcurrencyRequest, GetFunctionConcurrencyResponse,
    PutFunctionConcurrencyRequest,
};

use super::{configuration::signed, read::wanted, update::unqualified};
use crate::api::{
    arn::Wanted,
    context::Ctx,
    fault::{Fault, lambda as say},
};

/// Bytes that the packages of an account may have together, as AWS counts them: 75 GiB.
const ACCOUNT_CODE: i64 = 75 << 30;
/// Functions that are read at once.
const SCAN: usize = 500;

pub(super) async fn put_function_concurrency(
    ctx: &Ctx<'_>,
    input: PutFunctionConcurrencyRequest,
) -> Result<Concurrency, Fault> {
    let wanted = whole_function(wanted(ctx, input.function_name, None)?)?;
    let function = ctx.function(&wanted).await?;
    let asked = u32::try_from(input.reserved_concurrent_executions.unwrap_or_default()).unwrap_or(u32::MAX);
    let limits = &ctx.services().limits;
    let others = Sums::of(ctx).await?.reserved - u64::from(function.reserved.unwrap_or(0));
    let left = u64::from(limits.account_concurrency).checked_sub(others + u64::from(asked));
    if left.is_none_or(|left| left < u64::from(limits.unreserved_min)) {
        return Err(say::invalid(format!(
            "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [{}].",
            limits.unreserved_min
        )));
    }
    let provisioned: u32 = function.provisioned.values().sum();
    if provisioned > asked {
        return Err(say::invalid(format!(
            " ReservedConcurrentExecutions  {asked} should not be lower than function's total provisioned concurrency [{provisioned}]."
        )));
    }
    ctx.update(&wanted, |function| {
        function.reserved = Some(asked);
        Ok(())
    })
    .await?;
    Ok(Concurrency { reserved_concurrent_executions: Some(asked.into()) })
}

pub(super) async fn get_function_concurrency(
    ctx: &Ctx<'_>,
    input: GetFunctionConcurrencyRequest,
) -> Result<GetFunctionConcurrencyResponse, Fault> {
    let function = ctx.function(&unqualified(wanted(ctx, input.function_name, None)?)).await?;
    Ok(GetFunctionConcurrencyResponse { reserved_concurrent_executions: function.reserved.map(Into::into) })
}

pub(super) async fn delete_function_concurrency(
    ctx: &Ctx<'_>,
    input: DeleteFunctionConcurrencyRequest,
) -> Result<(), Fault> {
    let wanted = whole_function(wanted(ctx, input.function_name, None)?)?;
    ctx.update(&wanted, |function| {
        function.reserved = None;
        Ok(())
    })
    .await?;
    Ok(())
}

fn whole_function(wanted: Wanted) -> Result<Wanted, Fault> {
    if wanted.qualifier.is_none() {
        return Ok(wanted);
    }
    Err(say::invalid(
        "This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. Please specify either a function name or an unqualified function ARN.",
    ))
}

pub(super) async fn get_account_settings(
    ctx: &Ctx<'_>,
    _: GetAccountSettingsRequest,
) -> Result<GetAccountSettingsResponse, Fault> {
    let limits = &ctx.services().limits;
    let sums = Sums::of(ctx).await?;
    let concurrency = u64::from(limits.account_concurrency);
    Ok(GetAccountSettingsResponse {
        account_limit: Some(AccountLimit {
            total_code_size: Some(ACCOUNT_CODE),
            code_size_unzipped: Some(signed(limits.unpacked_bytes)),
            code_size_zipped: Some(signed(limits.package_bytes)),
            concurrent_executions: Some(signed(concurrency)),
            unreserved_concurrent_executions: Some(signed(concurrency.saturating_sub(sums.reserved))),
        }),
        account_usage: Some(AccountUsage {
            total_code_size: Some(signed(sums.code)),
            function_count: Some(signed(sums.functions)),
        }),
    })
}

/// What the functions of an account in one region come to.
#[derive(Default)]
struct Sums {
    functions: u64,
    code: u64,
    reserved: u64,
}

impl Sums {
    async fn of(ctx: &Ctx<'_>) -> Result<Self, Fault> {
        let (mut sums, mut after) = (Self::default(), None);
        loop {
            let page = ctx.services().registry.list(&ctx.home.namespace, after.as_deref(), SCAN).await?;
            for function in &page.items {
                sums.functions += 1;
                sums.code += function.latest.code.size;
                sums.reserved += u64::from(function.reserved.unwrap_or(0));
            }
            after = page.next;
            if after.is_none() {
                return Ok(sums);
            }
        }
    }
}
