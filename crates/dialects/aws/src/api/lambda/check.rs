//! What the published model does not say about a function's settings, and AWS checks all the same.

use anyfn_aws_model::{Rejection, lambda::error};
use anyfn_types::{Limits, MIB};
use indexmap::IndexMap;

use crate::api::fault::{Fault, lambda as say};

#[cfg(test)]
mod tests;

/// Names of the environment that are the platform's.
const RESERVED: [&str; 18] = [
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
];

const UNABLE: &str = "Lambda was unable to configure your environment variables because the environment variables you have provided";

/// Names that are not taken, and all of it within the limit as JSON.
pub(crate) fn environment(variables: &IndexMap<String, String>, limits: &Limits) -> Result<(), Fault> {
    let reserved: Vec<&str> =
        variables.keys().map(String::as_str).filter(|name| RESERVED.contains(name)).collect();
    if !reserved.is_empty() {
        return Err(say::invalid(format!(
            "{UNABLE} contains reserved keys that are currently not supported for modification. Reserved keys used in this request: {}",
            reserved.join(", ")
        )));
    }
    let printed = serde_json::to_string(variables).unwrap_or_default();
    if printed.len() as u64 > limits.env_bytes {
        let limit = limits.env_bytes / 1024;
        return Err(say::invalid(format!(
            "{UNABLE} exceeded the {limit}KB limit. String measured: {printed}"
        )));
    }
    Ok(())
}

/// A runtime that is none is the one broken constraint of the model that Lambda says as a wrong value.
pub(super) fn own_words(rejection: Rejection) -> Rejection {
    const BEFORE: &str = "1 validation error detected: Value '";
    const AT: &str = "' at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: ";
    let parts = rejection.error.message.strip_prefix(BEFORE).and_then(|text| text.split_once(AT));
    let Some((value, set)) = parts else { return rejection };
    let error = error::INVALID_PARAMETER_VALUE.say(format!(
        "Value {value} at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: {set} or be a valid ARN"
    ));
    Rejection { error, ..rejection }
}

/// `arn:aws:iam::123456789012:role/name`.
pub(crate) fn role(arn: &str) -> Result<(), Fault> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"+=,.@-_/".contains(&b);
    let fits = match arn.split(':').collect::<Vec<_>>().as_slice() {
        ["arn", partition, "iam", "", account, role] => {
            let name = role.strip_prefix("role").map(|rest| rest.strip_prefix('/').unwrap_or(rest));
            partition.starts_with("aws")
                && account.len() == 12
                && account.bytes().all(|b| b.is_ascii_digit())
                && name.is_some_and(|name| !name.is_empty() && name.bytes().all(plain))
        }
        _ => false,
    };
    if fits {
        return Ok(());
    }
    const PATTERN: &str = r"arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+";
    Err(one(arn, "role", &format!("Member must satisfy regular expression pattern: {PATTERN}")))
}

/// MiB. Lambda's own range; larger ones are for instances that are not served.
pub(crate) fn memory(mib: i64) -> Result<u32, Fault> {
    if mib > 10_240 {
        return Err(one(&mib, "memorySize", "Member must have value less than or equal to 10240"));
    }
    if mib < 128 {
        return Err(one(&mib, "memorySize", "Member must have value greater than or equal to 128"));
    }
    Ok(u32::try_from(mib).unwrap_or(128))
}

/// Seconds in, milliseconds out.
pub(crate) fn timeout(seconds: i64, limits: &Limits) -> Result<u64, Fault> {
    let ms = u64::try_from(seconds).unwrap_or(0).saturating_mul(1000);
    if ms == 0 {
        return Err(one(&seconds, "timeout", "Member must have value greater than or equal to 1"));
    }
    if limits.timeout_ms_max > 0 && ms > limits.timeout_ms_max {
        let most = limits.timeout_ms_max / 1000;
        let constraint = format!("Member must have value less than or equal to {most}");
        return Err(one(&seconds, "timeout", &constraint));
    }
    Ok(ms)
}

/// MiB of `/tmp`.
pub(crate) fn ephemeral(mib: i64) -> Result<u32, Fault> {
    if (512..=10_240).contains(&mib) {
        return Ok(u32::try_from(mib).unwrap_or(512));
    }
    let constraint = if mib < 512 {
        "Member must have value greater than or equal to 512"
    } else {
        "Member must have value less than or equal to 10240"
    };
    Err(one(&mib, "ephemeralStorage.size", constraint))
}

/// At most 50.
pub(crate) fn tags(count: usize) -> Result<(), Fault> {
    if count > 50 { Err(say::invalid("Number of tags exceeds resource tag limit.")) } else { Ok(()) }
}

/// Code and layers together when unpacked.
pub(crate) fn unpacked(code: u64, layers: u64, limits: &Limits) -> Result<(), Fault> {
    let (all, most) = (code + layers, limits.unpacked_bytes);
    if layers > most {
        return Err(say::invalid(format!("Layers consume more than the available size of {most} bytes")));
    }
    if all > most {
        return Err(say::invalid(format!(
            "Function code combined with layers exceeds the maximum allowed size of {most} bytes. The actual size is {all} bytes."
        )));
    }
    Ok(())
}

/// A package as it came.
pub(crate) fn zipped(size: usize, limits: &Limits) -> Result<(), Fault> {
    if size as u64 <= limits.package_bytes {
        return Ok(());
    }
    let request = limits.package_bytes / 3 * 4 + 4 * MIB;
    Err(error::REQUEST_TOO_LARGE
        .say(format!("Request must be smaller than {request} bytes for the CreateFunction operation"))
        .into())
}

/// One violation, as the model's own are said.
pub(crate) fn one(value: &(impl std::fmt::Display + ?Sized), at: &str, constraint: &str) -> Fault {
    say::validation(format!(
        "1 validation error detected: Value '{value}' at '{at}' failed to satisfy constraint: {constraint}"
    ))
}
