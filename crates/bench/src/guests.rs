//! The functions that are measured: the same handler behind the platform and behind a bare HTTP server.

use std::{io::Write as _, path::Path, process::Command};

use anyhow::{Context as _, bail};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use zip::{ZipWriter, write::SimpleFileOptions};

/// One language's hello.
pub(crate) struct Guest {
    pub(crate) name: &'static str,
    pub(crate) runtime: &'static str,
    pub(crate) handler: &'static str,
    /// Base64 of the package.
    pub(crate) zip: String,
    /// The same handler served over HTTP with nothing between, as a command that prints its port.
    pub(crate) direct: Vec<String>,
}

const PYTHON: &str = "def handler(event, context):\n    return {'hello': event.get('name', 'world')}\n";
const NODE: &str = "exports.handler = async (event) => ({ hello: event.name ?? 'world' });\n";
const PYTHON_DIRECT: &str = r#"
import json, sys, socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
def handler(event, context):
    return {'hello': event.get('name', 'world')}
class H(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def do_POST(self):
        event = json.loads(self.rfile.read(int(self.headers['content-length'])))
        body = json.dumps(handler(event, None)).encode()
        self.wfile.write(b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n' % len(body) + body)
    def setup(self):
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
    def log_message(self, *a): pass
s = ThreadingHTTPServer(('127.0.0.1', 0), H)
print(s.server_port, flush=True)
s.serve_forever()
"#;
const NODE_DIRECT: &str = r#"
const http = require('http');
const handler = async (event) => ({ hello: event.name ?? 'world' });
const s = http.createServer((q, r) => { let b = ''; q.on('data', d => b += d); q.on('end', async () => {
  const body = JSON.stringify(await handler(JSON.parse(b)));
  r.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }); r.end(body); }); });
s.listen(0, '127.0.0.1', () => console.log(s.address().port));
"#;

fn package(file: &str, content: &[u8], mode: u32) -> anyhow::Result<String> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let mut zip = ZipWriter::new(&mut bytes);
    zip.start_file(file, SimpleFileOptions::default().unix_permissions(mode))?;
    zip.write_all(content)?;
    zip.finish()?;
    Ok(STANDARD.encode(bytes.into_inner()))
}

/// Those that this machine can run; what is left out is said.
pub(crate) fn all(root: &Path) -> anyhow::Result<Vec<Guest>> {
    let mut guests = Vec::new();
    if let Some(version) = version("python3", "import sys;print('python%d.%d'%sys.version_info[:2])", "-c") {
        guests.push(Guest {
            name: "python",
            runtime: Box::leak(version.into_boxed_str()),
            handler: "app.handler",
            zip: package("app.py", PYTHON.as_bytes(), 0o644)?,
            direct: ["/usr/bin/env", "python3", "-c", PYTHON_DIRECT].map(str::to_owned).to_vec(),
        });
    } else {
        eprintln!("left out: python (no python3 here)");
    }
    if let Some(version) =
        version("node", "console.log('nodejs'+process.versions.node.split('.')[0]+'.x')", "-e")
    {
        guests.push(Guest {
            name: "node",
            runtime: Box::leak(version.into_boxed_str()),
            handler: "index.handler",
            zip: package("index.js", NODE.as_bytes(), 0o644)?,
            direct: ["/usr/bin/env", "node", "-e", NODE_DIRECT].map(str::to_owned).to_vec(),
        });
    } else {
        eprintln!("left out: node (no node here)");
    }
    match native(root) {
        Ok(binary) => guests.push(Guest {
            name: "native",
            runtime: "provided.al2023",
            handler: "bootstrap",
            zip: package("bootstrap", &std::fs::read(&binary)?, 0o755)?,
            direct: vec![binary, "--serve".to_owned()],
        }),
        Err(error) => eprintln!("left out: native ({error:#})"),
    }
    Ok(guests)
}

fn version(program: &str, script: &str, flag: &str) -> Option<String> {
    let output = Command::new(program).args([flag, script]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// A native function on its own: a Runtime API client of a hundred lines, so that the platform and not the SDK is measured.
fn native(root: &Path) -> anyhow::Result<String> {
    let out = root.join("target/bench-native");
    std::fs::create_dir_all(out.parent().context("target")?)?;
    let source = root.join("crates/bench/native/hello.rs");
    let status =
        Command::new("rustc").args(["--edition", "2024", "-O", "-o"]).arg(&out).arg(&source).status()?;
    if !status.success() {
        bail!("rustc could not build {}", source.display());
    }
    Ok(out.display().to_string())
}
