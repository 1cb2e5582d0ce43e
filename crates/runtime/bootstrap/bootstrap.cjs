'use strict';
// The managed Node.js runtime: loads a handler, takes calls as frames on descriptor 3, answers on the same one. The frames
// are described in `link.rs` beside it. Reads and writes on the link block, as Lambda's own runtime blocks while it waits:
// nothing of the user's runs between two calls.
//
// With `--template NAME` it waits in `template.cjs` and is forked; what comes back from there is the child, which is told
// who it is (`specialise.cjs`) and goes on from there as if it had just been started.

const fs = require('fs');
const path = require('path');

const LINK = 3;
const READY = 16;
const INIT_ERROR = 17;
const RESPONSE = 18;
const STREAM_HEAD = 20;
const CHUNK = 21;
const END = 22;
const FAILED = 23;
const ERROR = 19;
const LEAVING = 24;

// What the environment says; known from `configure` on.
let callbacks = true;
let asJson = false;
let logFd = -1;

function configure() {
  const { env } = process;
  const major = process.versions.node.split('.')[0];
  // On Lambda, callbacks are gone from Node.js 24 on. What counts is the runtime that was asked for.
  callbacks = Number((/nodejs(\d+)/.exec(env.AWS_EXECUTION_ENV || '') || [])[1] || major) < 24;
  asJson = (env.AWS_LAMBDA_LOG_FORMAT || '').toUpperCase() === 'JSON';
  logFd = Number(env._LAMBDA_TELEMETRY_LOG_FD);
  delete env._LAMBDA_TELEMETRY_LOG_FD;
}

// ---------------------------------------------------------------- frames

function writeAll(fd, data) {
  let at = 0;
  while (at < data.length) {
    try {
      at += fs.writeSync(fd, data, at, data.length - at);
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error;
    }
  }
}

function send(kind, payload) {
  const length = Buffer.isBuffer(payload) ? payload.length : Buffer.byteLength(payload);
  const frame = Buffer.allocUnsafe(5 + length);
  frame.writeUInt32LE(length + 1, 0);
  frame[4] = kind;
  if (Buffer.isBuffer(payload)) payload.copy(frame, 5);
  else frame.write(payload, 5);
  writeAll(LINK, frame);
}

function typed(failure) {
  const type = Buffer.from(String(failure.errorType)).subarray(0, 1024);
  const head = Buffer.alloc(2);
  head.writeUInt16LE(type.length);
  return Buffer.concat([head, type, Buffer.from(JSON.stringify(failure))]);
}

let rest = Buffer.alloc(0);
const chunk = Buffer.allocUnsafe(65536);

function readFrame() {
  let data = rest;
  while (data.length < 4) {
    const got = fs.readSync(LINK, chunk, 0, chunk.length, null);
    if (got === 0) return null;
    data = Buffer.concat([data, chunk.subarray(0, got)]);
  }
  const need = 4 + data.readUInt32LE(0);
  if (data.length < need) {
    const whole = Buffer.allocUnsafe(need);
    data.copy(whole);
    let at = data.length;
    while (at < need) {
      const got = fs.readSync(LINK, whole, at, need - at, null);
      if (got === 0) return null;
      at += got;
    }
    data = whole;
  }
  rest = Buffer.from(data.subarray(need));
  return data.subarray(4, need);
}

function nextCall() {
  const frame = readFrame();
  if (frame === null) return null;
  const texts = [];
  let at = 9;
  for (let i = 0; i < 5; i += 1) {
    const length = frame.readUInt16LE(at);
    texts.push(frame.toString('utf8', at + 2, at + 2 + length));
    at += 2 + length;
  }
  const [id, arn, trace, clientContext, tenant] = texts;
  return {
    deadline: Number(frame.readBigUInt64LE(1)), id, arn, trace, clientContext, tenant, body: frame.toString('utf8', at),
  };
}

// ---------------------------------------------------------------- output

const LEVELS = { TRACE: 1, DEBUG: 2, INFO: 3, WARN: 4, ERROR: 5, FATAL: 6 };

const REQUEST_ID = Symbol.for('aws.lambda.runtime.requestId');

// One record is one event of the log, however many lines it has.
function record(text, level) {
  const length = Buffer.byteLength(text);
  const frame = Buffer.allocUnsafe(16 + length);
  frame.writeUInt32BE(((asJson ? 0xa55a0002 : 0xa55a0003) | ((level || 0) << 2)) >>> 0, 0);
  frame.writeUInt32BE(length, 4);
  frame.writeBigUInt64BE(BigInt(Date.now()) * 1000n, 8);
  frame.write(text, 16);
  writeAll(logFd, frame);
}

function plainError(error) {
  return Object.assign({
    errorType: (error.constructor && error.constructor.name) || 'UnknownError',
    errorMessage: error.message,
    stackTrace: typeof error.stack === 'string' ? error.stack.split('\n') : [],
  }, error);
}

function jsonLine(level, params) {
  const util = require('util');
  const line = { timestamp: new Date().toISOString(), level, requestId: global[REQUEST_ID] };
  if (params.length === 1) {
    line.message = params[0];
    try {
      return JSON.stringify(line, (_, value) => (value instanceof Error ? plainError(value) : value));
    } catch {
      line.message = util.format(params[0]);
      return JSON.stringify(line);
    }
  }
  line.message = util.format(...params);
  const error = params.find((param) => param instanceof Error);
  if (error) {
    const { errorType, errorMessage, stackTrace } = plainError(error);
    Object.assign(line, { errorType, errorMessage, stackTrace });
  }
  return JSON.stringify(line);
}

function logAt(level) {
  return (...params) => {
    if (asJson) return record(jsonLine(level, params), LEVELS[level]);
    const text = require('util').format(...params);
    return record(`${new Date().toISOString()}\t${global[REQUEST_ID]}\t${level}\t${text}`, LEVELS[level]);
  };
}

function patchConsole() {
  const least = LEVELS[(process.env.AWS_LAMBDA_LOG_LEVEL || 'TRACE').toUpperCase()] || LEVELS.TRACE;
  const at = (level) => (LEVELS[level] >= least ? logAt(level) : () => {});
  console.trace = at('TRACE');
  console.debug = at('DEBUG');
  console.info = at('INFO');
  console.log = console.info;
  console.warn = at('WARN');
  console.error = at('ERROR');
  console.fatal = logAt('FATAL');
}

// What is written to the streams goes the same way, so that all lines stay in order.
const partials = [];

function patchStream(stream) {
  let partial = '';
  const decoder = new (require('string_decoder').StringDecoder)('utf8');
  stream.write = (data, encoding, callback) => {
    const done = typeof encoding === 'function' ? encoding : callback;
    partial += typeof data === 'string' ? data : decoder.write(Buffer.from(data));
    const lines = partial.split('\n');
    partial = lines.pop();
    for (const line of lines) record(line);
    if (typeof done === 'function') process.nextTick(done);
    return true;
  };
  partials.push(() => {
    if (partial === '') return;
    record(partial);
    partial = '';
  });
}

// Most functions never touch the streams themselves, and to make one takes a while.
function patchWhenUsed(name) {
  const { get } = Object.getOwnPropertyDescriptor(process, name);
  Object.defineProperty(process, name, {
    configurable: true,
    enumerable: true,
    get() {
      const stream = get.call(process);
      Object.defineProperty(process, name, { configurable: true, enumerable: true, get: () => stream });
      patchStream(stream);
      return stream;
    },
  });
}

function endLines() {
  for (const end of partials) end();
}

// ---------------------------------------------------------------- failures

class Fault extends Error {
  constructor(name, message) {
    super(message);
    this.name = name;
  }
}

function describe(error) {
  try {
    if (require('util').types.isNativeError(error) || (error && error.name && error.message && error.stack)) {
      return { errorType: error.name, errorMessage: error.message, trace: String(error.stack).split('\n') };
    }
    return { errorType: typeof error, errorMessage: error.toString(), trace: [] };
  } catch {
    return {
      errorType: 'handled',
      errorMessage: 'the error that was given cannot be read: its message, name or stack throws',
      trace: [],
    };
  }
}

function logError(title, error) {
  const wrapped = error instanceof Error ? error : new Error(error);
  if (asJson) {
    console.error(wrapped);
    return;
  }
  const about = { errorType: wrapped.name, errorMessage: wrapped.message, code: wrapped.code, ...wrapped };
  if (typeof wrapped.stack === 'string') about.stack = wrapped.stack.split('\n');
  let text;
  try {
    text = JSON.stringify(about, (_, value) => (value instanceof Error ? plainError(value) : value));
  } catch {
    text = JSON.stringify(describe(wrapped));
  }
  console.error(title, `\t${text}`);
}

// ---------------------------------------------------------------- the user's code

function isModulePackage(folder) {
  for (let at = folder; !at.endsWith('/node_modules'); at = path.dirname(at)) {
    const file = path.join(at, 'package.json');
    if (fs.existsSync(file)) {
      try {
        return JSON.parse(fs.readFileSync(file, 'utf8')).type === 'module';
      } catch (error) {
        console.warn(`${file} cannot be read, it is ignored: ${error}`);
        return false;
      }
    }
    if (at === '/') return false;
  }
  return false;
}

async function loadModule(root, folder, name) {
  const base = path.resolve(root, folder, name);
  const imported = (file) => import(require('url').pathToFileURL(file).href);
  if (fs.existsSync(base) && fs.statSync(base).isFile()) return require(base);
  if (fs.existsSync(`${base}.js`)) {
    return isModulePackage(path.dirname(base)) ? imported(`${base}.js`) : require(`${base}.js`);
  }
  if (fs.existsSync(`${base}.mjs`)) return imported(`${base}.mjs`);
  if (fs.existsSync(`${base}.cjs`)) return require(`${base}.cjs`);
  return require(require.resolve(name, { paths: [root, path.resolve(root, folder)] }));
}

const STREAMING = Symbol.for('aws.lambda.runtime.handler.streaming');

function offerStreaming() {
  const off = process.env.AWS_LAMBDA_NODEJS_NO_GLOBAL_AWSLAMBDA;
  if (off === '1' || off === 'true') return;
  globalThis.awslambda = {
    streamifyResponse(handler) {
      handler[STREAMING] = 'response';
      return handler;
    },
    HttpResponseStream: {
      // JSON, eight NUL bytes, then the body.
      from(stream, prelude) {
        stream.setContentType('application/vnd.awslambda.http-integration-response');
        stream._prelude = Buffer.concat([Buffer.from(JSON.stringify(prelude)), Buffer.alloc(8)]);
        return stream;
      },
    },
  };
}

async function loadHandler(root, name) {
  if (name.includes('..')) {
    throw new Fault('Runtime.MalformedHandlerName',
      `'${name}' is not a valid handler name. Use absolute paths when specifying root directories in handler names.`);
  }
  const last = path.basename(name);
  const folder = name.slice(0, name.length - last.length);
  const dot = last.indexOf('.');
  if (dot < 0) throw new Fault('Runtime.MalformedHandlerName', 'Bad handler');
  let module;
  try {
    module = await loadModule(root, folder, last.slice(0, dot));
  } catch (error) {
    if (error instanceof SyntaxError) throw new Fault('Runtime.UserCodeSyntaxError', String(error));
    if (error && (error.code === 'MODULE_NOT_FOUND' || error.code === 'ERR_MODULE_NOT_FOUND')) {
      throw new Fault('Runtime.ImportModuleError', String(error));
    }
    throw error;
  }
  const handler = last.slice(dot + 1).split('.').reduce((at, key) => at && at[key], module);
  if (!handler) throw new Fault('Runtime.HandlerNotFound', `${name} is undefined or not exported`);
  if (typeof handler !== 'function') throw new Fault('Runtime.HandlerNotFound', `${name} is not a function`);
  return handler;
}

// ---------------------------------------------------------------- calls

// Runs when nothing is left to do: a promise that never settles, or a callback that waits for an empty event loop.
let whenEmpty = () => {};
process.on('beforeExit', () => whenEmpty());

// How an error that nobody catches is told: during a call to its caller, before that as a failed init phase.
let fatal = INIT_ERROR;

function die(title, error, code) {
  logError(title, error);
  endLines();
  send(fatal, typed(describe(error)));
  process.exit(code);
}

process.on('uncaughtException', (error) => die('Uncaught Exception', error, 129));
process.on('unhandledRejection', (reason) => {
  const error = new Fault('Runtime.UnhandledPromiseRejection', reason instanceof Error ? String(reason) : `${reason}`);
  error.reason = reason;
  die('Unhandled Promise Rejection', error, 128);
});

function contextOf(call, own) {
  const { env } = process;
  if (call.trace) env._X_AMZN_TRACE_ID = call.trace;
  else delete env._X_AMZN_TRACE_ID;
  return Object.assign(own, {
    functionVersion: env.AWS_LAMBDA_FUNCTION_VERSION,
    functionName: env.AWS_LAMBDA_FUNCTION_NAME,
    memoryLimitInMB: env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: env.AWS_LAMBDA_LOG_STREAM_NAME,
    clientContext: call.clientContext ? JSON.parse(call.clientContext) : undefined,
    identity: undefined,
    invokedFunctionArn: call.arn,
    awsRequestId: call.id,
    tenantId: call.tenant || undefined,
    getRemainingTimeInMillis: () => call.deadline - Date.now(),
  });
}

function answer(kind, payload, next) {
  whenEmpty = () => {};
  endLines();
  send(kind, payload);
  setImmediate(next);
}

function succeed(result, next) {
  let text;
  try {
    text = JSON.stringify(result === undefined ? null : result);
    if (text === undefined) text = 'null';
  } catch (error) {
    fail(new Error('Unable to stringify response body'), next);
    return;
  }
  answer(RESPONSE, text, next);
}

function fail(error, next) {
  logError('Invoke Error', error);
  answer(ERROR, typed(describe(error)), next);
}

const NEVER_SETTLED = 'The Lambda runtime client detected an unexpected Node.js exit code. This is most commonly caused by '
  + 'a Promise that was never settled. For more information, see https://nodejs.org/docs/latest/api/process.html#exit-codes';

function buffered(handler, call, next) {
  let waits = true;
  let settled = false;
  const once = (run) => (...args) => {
    if (settled) return;
    settled = true;
    run(...args);
  };
  const finish = once((error, result) => {
    if (error !== undefined && error !== null) fail(error, next);
    else succeed(result, next);
  });
  const callback = (error, result) => {
    const now = (error !== undefined && error !== null) || !waits;
    if (now) finish(error, result);
    else if (!settled) whenEmpty = () => finish(null, result);
  };
  const own = {
    get callbackWaitsForEmptyEventLoop() { return waits; },
    set callbackWaitsForEmptyEventLoop(value) { waits = value; },
  };
  if (callbacks) {
    own.done = finish;
    own.succeed = (result) => finish(null, result);
    own.fail = (error) => finish(error === undefined || error === null ? 'handled' : error);
  }
  const isAsync = handler.constructor && handler.constructor.name === 'AsyncFunction';
  whenEmpty = () => {
    if (isAsync || !callbacks) finish(new Fault('Runtime.NodeJsExit', NEVER_SETTLED));
    else finish(null, null);
  };
  try {
    const context = contextOf(call, own);
    const event = JSON.parse(call.body);
    const result = callbacks ? handler(event, context, callback) : handler(event, context);
    if (result && typeof result.then === 'function') {
      result.then((value) => finish(null, value), (error) => finish(error === undefined || error === null ? 'handled' : error));
    } else if (!callbacks) {
      finish(null, result);
    }
  } catch (error) {
    finish(error === undefined || error === null ? 'handled' : error);
  }
}

function responseStream() {
  const { Writable } = require('stream');
  let began = false;
  let contentType = 'application/octet-stream';
  const begin = (stream) => {
    if (began) return;
    began = true;
    send(STREAM_HEAD, contentType);
    if (stream._prelude) send(CHUNK, stream._prelude);
  };
  const stream = new Writable({
    decodeStrings: true,
    write(data, _encoding, done) {
      begin(stream);
      send(CHUNK, data);
      done();
    },
    final(done) {
      begin(stream);
      endLines();
      send(END, '');
      done();
    },
  });
  const write = stream.write.bind(stream);
  stream.write = (data, ...more) => {
    const bytes = typeof data === 'string' || data instanceof Uint8Array;
    return write(bytes ? data : JSON.stringify(data), ...more);
  };
  stream.setContentType = (type) => {
    if (began) throw new Fault('Runtime.InvalidStreamingOperation', 'Cannot set content-type, too late.');
    contentType = type;
  };
  return { stream, began: () => began };
}

function streamed(handler, call, next) {
  let waits = true;
  let settled = false;
  const { stream, began } = responseStream();
  const ready = () => {
    whenEmpty = () => {};
    endLines();
    send(READY, '');
    setImmediate(next);
  };
  const failed = (error) => {
    if (settled) return;
    settled = true;
    logError('Invoke Error', error);
    if (!began()) {
      answer(ERROR, typed(describe(error)), next);
    } else if (stream.writableFinished) {
      ready();
    } else {
      send(FAILED, typed(describe(error)));
      ready();
    }
    stream.destroy();
  };
  const done = () => {
    if (settled) return;
    if (!stream.writableFinished) {
      failed('Response stream is not finished.');
      return;
    }
    settled = true;
    if (waits) whenEmpty = ready;
    else ready();
  };
  const own = {
    get callbackWaitsForEmptyEventLoop() { return waits; },
    set callbackWaitsForEmptyEventLoop(value) { waits = value; },
  };
  stream.on('error', (error) => failed(error));
  whenEmpty = () => (stream.writableFinished ? done() : failed(new Fault('Runtime.NodeJsExit', NEVER_SETTLED)));
  try {
    const result = handler(JSON.parse(call.body), stream, contextOf(call, own));
    if (!result || typeof result.then !== 'function') {
      failed('Streaming does not support non-async handlers.');
      return;
    }
    // `end` finishes in a later tick.
    result.then(() => (stream.writableEnded && !stream.writableFinished ? stream.once('finish', done) : done()), failed);
  } catch (error) {
    failed(error);
  }
}

// ---------------------------------------------------------------- start

// Packages that take long to load: which of them a function has loaded decides what it is forked from next time.
const HEAVY = /^(?:.*)\/node_modules\/(@aws-sdk\/client-[a-z0-9-]+)\//;

function loaded() {
  const names = new Set();
  for (const file of Object.keys(require.cache)) {
    if (file.startsWith('/var/task/') || file.startsWith('/opt/')) continue;
    const found = HEAVY.exec(file);
    if (found) names.add(found[1]);
  }
  return [...names].join(',').slice(0, 512);
}

// What a start does, with nobody's names, while nobody waits: a page that is shared with the template costs more to change
// for the first time than the change itself.
//
// The template has the file below; a child in a sandbox without code has only its text, and looks for the file in vain.
const EXAMPLE = '/var/runtime/rehearsal/index.js';
let exampleText = '';

function example() {
  delete require.cache[EXAMPLE];
  try {
    exampleText = exampleText || fs.readFileSync(EXAMPLE, 'utf8');
    return require(EXAMPLE);
  } catch {
    const Module = require('module');
    const module = new Module(EXAMPLE);
    module._compile(exampleText, EXAMPLE);
    return module.exports;
  } finally {
    delete require.cache[EXAMPLE];
  }
}

function rehearse(specialise) {
  specialise.environment(Buffer.from(Array.from({ length: 30 }, (_, at) => `NAME_${at}=${'x'.repeat(80)}\0`).join('')));
  loadHandler(path.dirname(EXAMPLE), 'index.handler').catch(() => {});
  const { handler } = example();
  const call = { body: '{"a":[1,"b",null,1.5]}', id: 'id', arn: '', deadline: 0 };
  contextOf(call, {});
  Object.getOwnPropertyDescriptor(process, 'stdout');
  JSON.stringify(handler(JSON.parse(call.body)));
  loaded();
  require('util').format('%s', 'x');
  require('./template.cjs').rehearse();
}

async function main() {
  if (process.argv[2] === '--template') {
    const specialise = require('./specialise.cjs');
    await require('./template.cjs').wait(process.argv[3], () => rehearse(specialise));
    process.argv.length = 2;
    specialise.run(readFrame, send, () => rehearse(specialise));
  }
  configure();
  patchConsole();
  patchWhenUsed('stdout');
  patchWhenUsed('stderr');
  offerStreaming();
  let handler;
  try {
    handler = await loadHandler(process.env.LAMBDA_TASK_ROOT || '/var/task', process.env._HANDLER || '');
    if (!callbacks && handler.length > 2 && !handler[STREAMING]) {
      throw new Fault('Runtime.CallbackHandlerDeprecated', 'Callback-based handlers end with Node.js 22; use an async function');
    }
  } catch (error) {
    die('Uncaught Exception', error, 1);
  }
  const run = handler[STREAMING] ? streamed : buffered;
  fatal = LEAVING;
  const handle = () => {
    const call = nextCall();
    if (call === null) process.exit(0);
    global[REQUEST_ID] = call.id;
    run(handler, call, loop);
  };
  const loop = () => {
    // A program that wants to hear of its end needs a loop that turns while it waits.
    if (process.listenerCount('SIGTERM') === 0 || rest.length > 0) {
      handle();
      return;
    }
    fs.read(LINK, chunk, 0, chunk.length, null, (error, got) => {
      if (error || got === 0) process.exit(0);
      rest = Buffer.from(chunk.subarray(0, got));
      handle();
    });
  };
  send(READY, loaded());
  loop();
}

main();
