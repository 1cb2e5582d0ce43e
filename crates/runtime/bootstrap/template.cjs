'use strict';
// A Node.js that has loaded what functions need, has seen none of them, and is forked into their sandboxes.
//
// It holds no secret, no environment of anybody's and no descriptor but the socket to its helper, and nothing here may use
// the thread pool: its threads would not be in a child. What must differ in each child is made to differ in `settle`:
// `Math.random` (V8 seeds it once for all children), the pool behind `crypto.randomUUID`, and `process.pid`.

const crypto = require('crypto');
const fs = require('fs');

// ---------------------------------------------------------------- random numbers

// sfc32 by Chris Doty-Humphrey (PractRand): 128 bits of state, passes its author's tests.
const state = new Uint32Array(4);
let seeded = false;

function next() {
  const sum = (state[0] + state[1] + state[3]) | 0;
  state[3] += 1;
  state[0] = state[1] ^ (state[1] >>> 9);
  state[1] = (state[2] + (state[2] << 3)) | 0;
  state[2] = ((state[2] << 21) | (state[2] >>> 11)) + sum;
  return sum >>> 0;
}

function seed() {
  crypto.randomFillSync(state);
  seeded = true;
}

// How often something random was asked for while packages were loaded. Whatever it was, all children would share it.
let drawn = 0;

function random() {
  if (!seeded) {
    drawn += 1;
    seed();
  }
  return ((next() >>> 5) * 67108864 + (next() >>> 6)) / 9007199254740992;
}

// Packages keep references to these, so they stay in the children; they count only until the template waits.
const originals = {};
let counting = true;

function watch(owner, name, instead) {
  const original = owner[name];
  originals[name] = original;
  owner[name] = function drawing(...args) {
    if (counting) drawn += 1;
    return (instead || original).apply(this === undefined ? crypto : this, args);
  };
  return () => {
    owner[name] = original;
  };
}

function watchAll() {
  const { randomUUID } = crypto;
  const unpooled = () => randomUUID.call(crypto, { disableEntropyCache: true });
  const undo = [
    watch(crypto, 'randomUUID', unpooled),
    watch(crypto, 'randomBytes'),
    watch(crypto, 'randomFillSync'),
    watch(crypto, 'randomInt'),
  ];
  return () => undo.forEach((one) => one());
}

// ---------------------------------------------------------------- packages

// Loading is not enough: most of what a first use costs is code that is compiled when it is first run.
function common() {
  for (const name of ['assert', 'buffer', 'child_process', 'dns', 'events', 'http', 'https', 'net', 'os', 'path',
    'querystring', 'stream', 'string_decoder', 'timers', 'tls', 'url', 'util', 'zlib', 'worker_threads', 'async_hooks']) {
    require(name);
  }
  const { Writable, Readable, Transform } = require('stream');
  new Writable({ write(_data, _encoding, done) { done(); } }).end('x');
  new Readable({ read() { this.push(null); } }).resume();
  new Transform({ transform(data, _encoding, done) { done(null, data); } }).end('x');
  require('util').format('%s %o %j', 'a', { b: [1] }, new Map());
  require('zlib').gunzipSync(require('zlib').gzipSync('x'));
  crypto.createHmac('sha256', 'k').update('x').digest('hex');
  crypto.createHash('sha256').update('x').digest('base64');
  new URL('https://example.com/a?b=c').searchParams.get('b');
  JSON.parse(JSON.stringify({ a: [1, 'x', null] }));
  // Getters of these load what is behind them.
  for (const name of ['fetch', 'Headers', 'AbortController', 'TextDecoder', 'Blob', 'structuredClone']) {
    void globalThis[name];
  }
}

const SDK = ['client-s3', 'client-dynamodb', 'lib-dynamodb', 'client-sqs', 'client-sns', 'client-lambda', 'client-sts',
  'client-ssm', 'client-secrets-manager', 's3-request-presigner', 'client-eventbridge', 'client-sfn'];

// A client of each is made and thrown away, without keys: they are looked for when something is sent.
function sdk() {
  const packages = '/var/runtime/node_modules/@aws-sdk/';
  let any = false;
  for (const name of SDK) {
    let found;
    try {
      found = require(packages + name);
    } catch (error) {
      if (error.code === 'MODULE_NOT_FOUND') continue;
      throw error;
    }
    any = true;
    const client = Object.keys(found).find((key) => /^[A-Z][A-Za-z0-9]*Client$/.test(key) && key !== '__Client');
    if (client && name.startsWith('client-')) {
      const credentials = async () => ({ accessKeyId: 'none', secretAccessKey: 'none' });
      const make = () => new found[client]({ region: 'us-east-1', credentials }).destroy();
      make();
      if (rehearsals.length === 0) rehearsals.push(make);
    }
  }
  if (!any) process.exit(71);
}

const SETS = { 'aws-sdk': sdk };

// ---------------------------------------------------------------- the template and its children

const SETTLE_MS = 100;

let native = null;

let began = 0;
const uptime = process.uptime.bind(process);
process.uptime = () => uptime() - began;

// Comes back in each child, which is in its sandbox then, with its own descriptors and no others.
async function wait(name, rehearseAll) {
  const control = Number(process.env.ANYFN_TEMPLATE_FD);
  // Code that is not run for a while is thrown away, and would be compiled again in each child.
  require('v8').setFlagsFromString('--no-flush-bytecode');
  Math.random = random;
  const restore = watchAll();
  common();
  for (const one of name.split(',')) if (one !== '-') SETS[one]();
  restore();
  counting = false;
  // A package that drew random numbers may have kept them. It is not for sharing.
  if (drawn > 0) process.exit(72);
  native = require('/var/runtime/fork.node');
  reseedContexts();
  await rehearseAll();
  settle();
  leaveAtOnce();
  // What has begun must be over: a wake-up on its way would be lost in the children, with all that come after it.
  await new Promise((resolve) => { setTimeout(resolve, SETTLE_MS); });
  collect();
  await new Promise((resolve) => { setImmediate(resolve); });
  const left = native.serve(control);
  if (left !== 0) process.exit(left === 1 ? 0 : 70);
}

// Twice, because weak references go in the second.
function collect() {
  const v8 = require('v8');
  v8.setFlagsFromString('--expose-gc');
  const gc = require('vm').runInNewContext('gc');
  v8.setFlagsFromString('--no-expose-gc');
  gc();
  gc();
}


// Node's own way out waits for threads that are not here.
function leaveAtOnce() {
  const leave = (code) => native.leave(Number(code === undefined ? process.exitCode : code) || 0);
  const emit = process.emit;
  process.emit = function emitted(name, ...args) {
    const heard = emit.call(this, name, ...args);
    // The last word of a process whose loop is empty, or that calls `process.exit`.
    if (name === 'exit') leave(process.exitCode === undefined ? args[0] : process.exitCode);
    return heard;
  };
  process.reallyExit = leave;
}

// Contexts of `vm` and workers have a `Math.random` of V8's own, which takes its seed from a flag.
function reseedContexts() {
  const vm = require('vm');
  const v8 = require('v8');
  // Not `randomInt`: it keeps a pool, which all children would share.
  const word = new Uint32Array(1);
  const fresh = () => v8.setFlagsFromString(`--random-seed=${1 + (crypto.randomFillSync(word)[0] % 0x7ffffffe)}`);
  for (const [owner, name] of [[vm, 'createContext'], [vm, 'runInNewContext'], [vm.Script.prototype, 'runInNewContext']]) {
    const original = owner[name];
    owner[name] = function withFreshSeed(...args) {
      fresh();
      return original.apply(this, args);
    };
  }
  const threads = require('worker_threads');
  threads.Worker = new Proxy(threads.Worker, {
    construct(target, args, as) {
      fresh();
      return Reflect.construct(target, args, as);
    },
  });
  freshSeed = fresh;
}

let freshSeed = () => {};

// What the packages of this template do when they are first used, in a child that nobody waits for.
const rehearsals = [];

function rehearse() {
  for (const one of rehearsals) one();
}

// In a child that has its environment.
function settle() {
  seed();
  freshSeed();
  const pid = Number(fs.readlinkSync('/proc/self'));
  Object.defineProperty(process, 'pid', { value: pid, writable: false, enumerable: true, configurable: true });
  process.execArgv = [];
  began = uptime();
}

module.exports = { wait, settle, rehearse };
