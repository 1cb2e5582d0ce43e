//! Statements of resource policies, as AWS prints them.

use anyfn_types::PolicyStatement;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

#[cfg(test)]
mod tests;

/// A policy may have this many bytes.
pub(crate) const POLICY_MAX: usize = 20_480;

/// One statement. The order of the fields is AWS's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Statement {
    pub(crate) sid: String,
    pub(crate) effect: String,
    pub(crate) principal: Value,
    pub(crate) action: String,
    pub(crate) resource: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) condition: Option<Value>,
}

/// What `AddPermission` may ask for beside the principal.
#[derive(Clone, Debug, Default)]
pub(crate) struct Conditions {
    pub(crate) source_arn: Option<String>,
    pub(crate) source_account: Option<String>,
    pub(crate) event_source_token: Option<String>,
    pub(crate) principal_org: Option<String>,
    pub(crate) url_auth: Option<String>,
    pub(crate) via_url: Option<bool>,
}

impl Conditions {
    /// None if there are none.
    fn print(&self) -> Option<Value> {
        let mut out: Map<String, Value> = Map::new();
        let mut put = |operator: &str, key: &str, value: Option<String>| {
            if let Some(value) = value {
                let under = out.entry(operator).or_insert_with(|| json!({}));
                under[key] = value.into();
            }
        };
        put("StringEquals", "lambda:FunctionUrlAuthType", self.url_auth.clone());
        put("StringEquals", "aws:PrincipalOrgID", self.principal_org.clone());
        put("StringEquals", "AWS:SourceAccount", self.source_account.clone());
        put("StringEquals", "lambda:EventSourceToken", self.event_source_token.clone());
        put("Bool", "lambda:InvokedViaFunctionUrl", self.via_url.map(|via| via.to_string()));
        put("ArnLike", "AWS:SourceArn", self.source_arn.clone());
        (!out.is_empty()).then_some(Value::Object(out))
    }
}

/// A principal as a policy prints it: a service, an account, a user or role, or everyone. None: it is none of these.
pub(crate) fn principal(partition: &str, text: &str) -> Option<Value> {
    let account = text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit());
    let service = |suffix: &str| text.strip_suffix(suffix).is_some_and(|name| !name.is_empty());
    Some(match text {
        "*" => json!("*"),
        _ if account => json!({ "AWS": format!("arn:{partition}:iam::{text}:root") }),
        _ if text.starts_with("arn:aws") && text.split(':').nth(2) == Some("iam") => json!({ "AWS": text }),
        _ if service(".amazonaws.com") || service(".amazonaws.com.cn") || service(".amazon.com") => {
            json!({ "Service": text })
        }
        _ => return None,
    })
}

impl Statement {
    pub(crate) fn allow(
        sid: &str,
        principal: Value,
        action: &str,
        resource: String,
        on: &Conditions,
    ) -> Self {
        Self {
            sid: sid.to_owned(),
            effect: "Allow".to_owned(),
            principal,
            action: action.to_owned(),
            resource,
            condition: on.print(),
        }
    }

    pub(crate) fn print(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    pub(crate) fn record(&self, qualifier: Option<String>) -> PolicyStatement {
        let document = serde_json::to_value(self).unwrap_or_default();
        PolicyStatement { sid: self.sid.clone(), qualifier, document }
    }
}

/// The whole policy of one qualifier; None if it has no statement.
pub(crate) fn print_policy<'a>(statements: impl Iterator<Item = &'a PolicyStatement>) -> Option<String> {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Policy {
        version: &'static str,
        id: &'static str,
        statement: Vec<Statement>,
    }
    let statement: Vec<Statement> =
        statements.filter_map(|s| serde_json::from_value(s.document.clone()).ok()).collect();
    if statement.is_empty() {
        return None;
    }
    serde_json::to_string(&Policy { version: "2012-10-17", id: "default", statement }).ok()
}
