//! Google's functions-framework for Python and for Node.js.

use std::{
    fs,
    process::{Command, Stdio},
    time::Duration,
};

use super::Endpoint;
use crate::{
    bench::Bench,
    guests::{EVENT, Places},
    process::{Process, free_port},
    wire,
};

const PYTHON: &str = "import functions_framework\n\n@functions_framework.http\ndef hello(request):\n    return {'hello': request.get_json().get('name', 'world')}\n";
const JAVASCRIPT: &str = "exports.hello = (req, res) => res.json({ hello: req.body.name ?? 'world' });\n";

pub(crate) fn python(bench: &Bench) -> anyhow::Result<Endpoint> {
    let program = bench.places.part("functions-framework-py/bin/functions-framework")?;
    started(&bench.places, &program, "main.py", PYTHON)
}

pub(crate) fn javascript(bench: &Bench) -> anyhow::Result<Endpoint> {
    let program = bench.places.part("functions-framework-js/node_modules/.bin/functions-framework")?;
    started(&bench.places, &program, "index.js", JAVASCRIPT)
}

fn started(places: &Places, program: &std::path::Path, file: &str, source: &str) -> anyhow::Result<Endpoint> {
    let port = free_port()?;
    let home = places.scratch.join(format!("functions-framework-{port}"));
    fs::create_dir_all(&home)?;
    fs::write(home.join(file), source)?;
    let mut command = Command::new(program);
    command.args(["--target", "hello", "--port", &port.to_string()]).current_dir(&home);
    let address = ([127, 0, 0, 1], port).into();
    let request =
        wire::request(&format!("127.0.0.1:{port}"), "POST", "/", "content-type: application/json\r\n", EVENT);
    let mut process = Process::start(command.stdout(Stdio::null()).stderr(Stdio::null()))?;
    process.until_answers(address, &request, Duration::from_secs(30))?;
    Endpoint::checked(address, request, "/", vec![Box::new(process)])
}
