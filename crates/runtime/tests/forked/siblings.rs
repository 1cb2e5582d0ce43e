//! What two children of one template must not share, and what a template must not leave in them.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::bench::{Bench, Spec, Up};

/// What each of these gives must differ between two instances.
async fn differ(bench: &Bench, spec: impl Fn() -> Spec) {
    let mut all = BTreeSet::new();
    let mut kinds = 0;
    for _ in 0..3 {
        let mut up: Up = bench.up(spec()).await;
        let Value::Object(found) = up.ask("{}").await.unwrap() else { unreachable!("an object") };
        kinds = found.len();
        for (name, value) in found {
            assert!(all.insert(format!("{name} {value}")), "two instances share {name}: {value}");
        }
    }
    assert_eq!(all.len(), kinds * 3);
    assert_eq!(bench.starts("plain"), 0, "all were forked");
}

#[tokio::test]
async fn nothing_random_is_the_same_in_two_children_of_python() {
    let bench = Bench::new().await;
    let text = r"
import os, random, secrets, ssl, tempfile, uuid
at_import = random.random()
def handler(event, context):
  return {'import': at_import, 'random': random.random(), 'system': random.SystemRandom().random(),
          'uuid1': str(uuid.uuid1()), 'uuid4': str(uuid.uuid4()), 'token': secrets.token_hex(), 'tls': ssl.RAND_bytes(16).hex(),
          'name': tempfile.mktemp(), 'urandom': os.urandom(16).hex(), 'choices': random.choices(range(1000), k=8)}
";
    differ(&bench, || Spec::python(text)).await;
}

#[tokio::test]
async fn nothing_random_is_the_same_in_two_children_of_node() {
    let bench = Bench::new().await;
    let text = r"
const crypto = require('crypto'), vm = require('vm');
const { Worker } = require('worker_threads');
const early = Math.random();
const inWorker = (code) => new Promise((done, failed) => {
  new Worker(`require('worker_threads').parentPort.postMessage(${code})`, { eval: true }).on('message', done).on('error', failed);
});
exports.handler = async () => ({
  early, random: Math.random(), uuid: crypto.randomUUID(), web: globalThis.crypto.randomUUID(), bytes: crypto.randomBytes(16).toString('hex'),
  int: crypto.randomInt(2 ** 47), values: [...globalThis.crypto.getRandomValues(new Uint8Array(16))].join(),
  context: vm.runInNewContext('Math.random()'), again: vm.runInNewContext('Math.random()'),
  worker: await inWorker('Math.random()'), key: crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ type: 'spki', format: 'der' }).toString('hex'),
});
";
    differ(&bench, || Spec::node(text)).await;
}

#[tokio::test]
async fn a_child_has_its_own_environment_and_nothing_of_the_templates() {
    let bench = Bench::new().await;
    let python = r"
import os
def handler(event, context):
  fds = sorted(int(fd) for fd in os.listdir('/proc/self/fd'))
  with open('/proc/self/environ') as file: start = file.read()
  return {'mine': os.environ.get('MINE'), 'other': os.environ.get('OTHER'), 'template': 'ANYFN_TEMPLATE_FD' in os.environ,
          'shell': os.popen('echo $MINE $ANYFN_TEMPLATE_FD').read(), 'fds': fds[:5], 'start': 'MINE' in start or 'OTHER' in start,
          'uid': os.getuid(), 'caps': [l.split()[1] for l in open('/proc/self/status') if l.startswith('CapEff')]}
";
    for (mine, other) in [("MINE", "OTHER"), ("OTHER", "MINE")] {
        let mut spec = Spec::python(python);
        spec.env = vec![(mine, "x")];
        let found = bench.up(spec).await.ask("{}").await.unwrap();
        assert_eq!(found[mine.to_lowercase()], "x");
        assert_eq!(found[other.to_lowercase()], Value::Null);
        assert_eq!(found["template"], false);
        assert_eq!(found["shell"], if mine == "MINE" { "x\n" } else { "\n" });
        assert_eq!(found["fds"], serde_json::json!([0, 1, 2, 3, 4]));
        assert_eq!(
            (&found["start"], &found["caps"]),
            (&false.into(), &serde_json::json!(["0000000000000000"]))
        );
    }
    assert_eq!(bench.starts("plain"), 0);
}

#[tokio::test]
async fn what_node_programs_use_works_in_a_child() {
    let bench = Bench::new().await;
    let text = r"
const crypto = require('crypto'), fs = require('fs'), http = require('http'), zlib = require('zlib');
const { AsyncLocalStorage } = require('async_hooks');
const as = (run) => new Promise((done, failed) => run((error, value) => (error ? failed(error) : done(value))));
const serve = async () => {
  const server = http.createServer((request, answer) => answer.end('served'));
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const text = await (await fetch(`http://127.0.0.1:${server.address().port}`)).text();
  server.close();
  server.closeAllConnections();
  return text;
};
exports.handler = async () => ({
  read: (await fs.promises.readFile(__filename, 'utf8')).length > 0,
  key: (await as((done) => crypto.pbkdf2('a', 'b', 100, 8, 'sha256', done))).length,
  zip: (await as((done) => zlib.gzip('aaaa', done))).length > 0,
  http: await serve(),
  name: (await require('dns').promises.lookup('localhost')).address.length > 0,
  timer: await new Promise((done) => setTimeout(done, 5, 'rang')),
  store: await new AsyncLocalStorage().run(7, async () => { await null; return 7; }),
  spawn: String(require('child_process').execSync('echo spawned')).trim(),
  import: (await import('node:path')).basename('/a/b'),
  argv: process.argv.slice(1), flags: process.execArgv, pid: process.pid === Number(fs.readlinkSync('/proc/self')),
  young: process.uptime() < 60, stdin: typeof process.stdin.fd,
  garbage: (() => { let kept = []; for (let i = 0; i < 2e5; i += 1) { kept.push({ i }); if (kept.length > 1e4) kept = []; } return true; })(),
});
";
    let mut up = bench.up(Spec::node(text)).await;
    let expected = serde_json::json!({
        "read": true, "key": 8, "zip": true, "http": "served", "name": true, "timer": "rang", "store": 7, "spawn": "spawned",
        "import": "b", "argv": ["/var/runtime/bootstrap.cjs"], "flags": [], "pid": true, "young": true, "stdin": "number",
        "garbage": true,
    });
    assert_eq!(up.ask("{}").await.unwrap(), expected);
    assert_eq!(bench.starts("plain"), 0);
}
