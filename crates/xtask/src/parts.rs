//! What the tests need beside the workspace: other people's clients, each pinned, each in a folder of its own so that
//! their requirements cannot quarrel.

/// One thing to fetch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// `name==version` for Python, `name@version` for npm.
    pub(crate) pins: &'static [&'static str],
    /// What cannot be tested without it.
    pub(crate) why: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A virtual environment: `<parts>/<name>/bin/python`.
    Python,
    /// `<parts>/<name>/node_modules`.
    Npm,
}

pub(crate) const PARTS: &[Part] = &[
    Part {
        name: "boto3",
        kind: Kind::Python,
        pins: &["boto3==1.44.5", "botocore==1.44.5"],
        why: "the AWS SDK for Python as a client",
    },
    Part {
        name: "awscli",
        kind: Kind::Python,
        pins: &["awscli==1.46.3"],
        why: "the aws command line as a client",
    },
    Part {
        name: "ministack",
        kind: Kind::Python,
        pins: &["ministack==1.5.33"],
        why: "the other services of AWS for examples, and a peer to compare with",
    },
    Part {
        name: "awslambdaric",
        kind: Kind::Python,
        pins: &["awslambdaric==4.2.2"],
        why: "AWS's own Python runtime client as a guest (it compiles native code)",
    },
    Part {
        name: "client-lambda",
        kind: Kind::Npm,
        pins: &["@aws-sdk/client-lambda@3.1162.0"],
        why: "the AWS SDK for JavaScript as a client",
    },
    Part {
        name: "openwhisk",
        kind: Kind::Npm,
        pins: &["openwhisk@3.21.9"],
        why: "OpenWhisk's JavaScript client",
    },
    Part {
        name: "openwhisk-composer",
        kind: Kind::Npm,
        pins: &["openwhisk-composer@0.12.0"],
        why: "OpenWhisk's compositions",
    },
    Part {
        name: "aws-lambda-ric",
        kind: Kind::Npm,
        pins: &["aws-lambda-ric@4.0.2"],
        why: "AWS's own Node runtime client as a guest (it compiles native code)",
    },
];
