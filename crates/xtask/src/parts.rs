//! What tests and benches need beside the workspace: other people's clients and platforms, each pinned, each in a folder
//! of its own so that their requirements cannot quarrel.

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
    /// A folder of modules without an interpreter, as a layer has them: `<parts>/<name>/python`.
    PythonModules,
    /// `<parts>/<name>/node_modules`.
    Npm,
    /// A program: `<parts>/<name>/bin`. Pins are `module@version`.
    Go,
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

/// What only the benches want (`cargo xtask setup --bench`): libraries that functions bring, and peers.
pub(crate) const BENCH_PARTS: &[Part] = &[
    Part {
        name: "layer-boto3",
        kind: Kind::PythonModules,
        pins: &["boto3==1.44.5", "botocore==1.44.5"],
        why: "boto3 as a layer of a measured function",
    },
    Part {
        name: "client-s3",
        kind: Kind::Npm,
        pins: &["@aws-sdk/client-s3@3.1169.0"],
        why: "the AWS SDK for JavaScript as a layer of a measured function",
    },
    Part {
        name: "functions-framework-py",
        kind: Kind::Python,
        pins: &["functions-framework==3.10.2"],
        why: "Google's functions-framework for Python as a peer",
    },
    Part {
        name: "functions-framework-js",
        kind: Kind::Npm,
        pins: &["@google-cloud/functions-framework@5.0.5"],
        why: "Google's functions-framework for Node.js as a peer",
    },
    Part {
        name: "wrangler",
        kind: Kind::Npm,
        // The last line of versions that Node.js 20 runs; it brings its own `workerd`.
        pins: &["wrangler@4.80.0"],
        why: "workerd and `wrangler dev` as peers",
    },
    Part {
        name: "serverless-offline",
        kind: Kind::Npm,
        // serverless 4 wants an account.
        pins: &["serverless@3.40.0", "serverless-offline@13.9.0"],
        why: "serverless-offline as a peer",
    },
    Part {
        name: "of-watchdog",
        kind: Kind::Go,
        pins: &["github.com/openfaas/of-watchdog@v0.11.2"],
        why: "OpenFaaS' watchdog as a peer (or put `of-watchdog` on the PATH)",
    },
];

/// Program and Debian package: peers and load generators that the benches find on the PATH.
pub(crate) const BENCH_TOOLS: [(&str, &str); 7] = [
    ("crun", "crun"),
    ("runc", "runc"),
    ("runsc", "runsc"),
    ("nginx", "nginx-light"),
    ("haproxy", "haproxy"),
    ("wrk", "wrk"),
    ("musl-gcc", "musl-tools"),
];
