//! AWS's own runtime interface clients, where `cargo xtask setup` has put them into `target/parts`.

use std::path::{Path, PathBuf};

use serde_json::json as value;

use crate::bench::{Bench, Spec};

/// A part that setup fetched; says so when it is missing.
fn part(name: &str) -> Option<PathBuf> {
    let test = std::env::current_exe().unwrap();
    let target = test.ancestors().nth(3).unwrap().to_owned();
    let part = target.join("parts").join(name);
    if part.is_dir() {
        return Some(part);
    }
    println!("SKIPPED: {} is missing", Path::new("target/parts").join(name).display());
    None
}

/// The packages of the virtual environment.
fn awslambdaric() -> Option<PathBuf> {
    let versions = part("awslambdaric/lib")?.read_dir().ok()?.flatten();
    versions.map(|version| version.path().join("site-packages")).find(|packages| packages.is_dir())
}

#[tokio::test]
async fn awslambdaric_serves_a_python_package() {
    let Some(client) = awslambdaric() else { return };
    let bench = Bench::new().await;
    let text = "import logging\nn = 0\ndef handler(event, context):\n  global n\n  n += 1\n  logging.getLogger().error('two\\nlines')\n\
                \x20 if event == 'bad':\n    raise ValueError('no')\n  return [n, event, context.aws_request_id[-1]]\n";
    let mut spec = Spec::python(text);
    spec.copy = Some(client);
    spec.command = vec!["python", "-m", "awslambdaric", "app.handler"];
    let mut up = bench.up(spec).await;
    assert_eq!(up.ask("\"a\"").await.unwrap(), value!([1, "a", "1"]));
    assert_eq!(up.ask("\"b\"").await.unwrap(), value!([2, "b", "2"]));
    let failure = up.ask("\"bad\"").await.unwrap_err();
    assert_eq!(failure.error_type, "ValueError");
    assert!(
        up.log().iter().any(|line| line.ends_with("\ttwo\nlines")),
        "records stay whole: {:#?}",
        up.log()
    );
    assert_eq!(up.ask("1").await.unwrap(), value!([4, 1, "4"]));
    let mut spec = Spec::python("x = 1\n");
    spec.copy = awslambdaric();
    spec.command = vec!["python", "-m", "awslambdaric", "app.handler"];
    assert_eq!(bench.fails(spec).await.error_type, "Runtime.HandlerNotFound");
}

#[tokio::test]
async fn aws_lambda_ric_serves_a_node_package() {
    let Some(client) =
        part("aws-lambda-ric/node_modules").filter(|part| part.join("aws-lambda-ric").is_dir())
    else {
        return;
    };
    let bench = Bench::new().await;
    let mut spec = Spec::node("let n = 0;\nexports.handler = async (event) => [++n, event];\n");
    spec.copy = client.parent().map(Path::to_owned);
    spec.command = vec!["node", "node_modules/aws-lambda-ric/index.mjs", "index.handler"];
    let mut up = bench.up(spec).await;
    assert_eq!(up.ask("\"a\"").await.unwrap(), value!([1, "a"]));
    assert_eq!(up.ask("\"b\"").await.unwrap(), value!([2, "b"]));
}
