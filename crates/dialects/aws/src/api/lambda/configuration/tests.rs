use std::collections::BTreeMap;

use anyfn_types::{Code, Digest, FunctionName, Logging, Namespace, VersionId};
use serde_json::json;

use super::*;
use crate::api::{document::keep, lambda::draft::defaults};

fn function(state: VersionState, updated: bool) -> Function {
    let mut config = defaults(Some("arm64".to_owned()));
    config.runtime = "python3.12".to_owned();
    config.logging = Logging { group: Some("/own".to_owned()), ..Logging::default() };
    config.extra.insert("VpcConfig".to_owned(), json!({"SubnetIds": ["subnet-1"]}));
    let latest = Version {
        id: VersionId(1),
        number: 0,
        code: Code { digest: Digest([0; 32]), size: 7, unpacked: 9 },
        config,
        modified: 1_584_039_838_123,
        revision: "r".to_owned(),
        state,
        notice: None,
    };
    let extra = if updated { BTreeMap::from([(UPDATED.to_owned(), json!(true))]) } else { BTreeMap::new() };
    Function {
        namespace: Namespace::new("123456789012.eu-west-1").unwrap(),
        name: FunctionName::new("f").unwrap(),
        created: 0,
        latest,
        versions: BTreeMap::new(),
        next_version: 1,
        aliases: BTreeMap::new(),
        policy: Vec::new(),
        urls: BTreeMap::new(),
        async_configs: BTreeMap::new(),
        reserved: None,
        provisioned: BTreeMap::new(),
        tags: BTreeMap::new(),
        extra,
    }
}

fn failed() -> VersionState {
    VersionState::Failed { code: "package_invalid".to_owned(), reason: "why".to_owned() }
}

#[test]
fn a_state_is_said_in_two_words() {
    let cases = [
        (VersionState::Active, false, 0, ["Active", "", "Successful", ""]),
        (VersionState::Pending, false, 0, ["Pending", "Creating", "", ""]),
        (VersionState::Pending, true, 0, ["Active", "", "InProgress", "Creating"]),
        (VersionState::Pending, true, 3, ["Active", "", "Successful", ""]),
        (failed(), false, 0, ["Failed", "InvalidZipFileException", "Failed", ""]),
        (failed(), true, 0, ["Active", "", "Failed", "InvalidZipFileException"]),
    ];
    for (state, updated, number, wanted) in cases {
        let mut function = function(state.clone(), updated);
        function.latest.number = number;
        let got = configuration(&Home::of(&function.namespace), &function, &function.latest, None);
        let words =
            [got.state, got.state_reason_code, got.last_update_status, got.last_update_status_reason_code];
        assert_eq!(words.map(Option::unwrap_or_default), wanted, "{state:?} {updated} {number}");
    }
}

#[test]
fn a_configuration_is_printed_whole() {
    let function = function(VersionState::Active, false);
    let printed =
        keep(configuration(&Home::of(&function.namespace), &function, &function.latest, Some("prod")));
    let wanted = json!({
        "Architectures": ["arm64"],
        "CodeSha256": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "CodeSize": 7,
        "Description": "",
        "EphemeralStorage": {"Size": 512},
        "FunctionArn": "arn:aws:lambda:eu-west-1:123456789012:function:f:prod",
        "FunctionName": "f",
        "Handler": "",
        "LastModified": "2020-03-12T19:03:58.123+0000",
        "LastUpdateStatus": "Successful",
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": "/own"},
        "MemorySize": 128,
        "PackageType": "Zip",
        "RevisionId": "r",
        "Role": "",
        "Runtime": "python3.12",
        "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
        "State": "Active",
        "Timeout": 3,
        "TracingConfig": {"Mode": "PassThrough"},
        "Version": "$LATEST",
        "VpcConfig": {
            "SubnetIds": ["subnet-1"], "SecurityGroupIds": [], "VpcId": "vpc-00000000", "Ipv6AllowedForDualStack": false
        },
    });
    assert_eq!(printed, wanted);
}
