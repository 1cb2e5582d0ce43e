'use strict';
// One line of JSON in on descriptor 0, one line out on descriptor 3: the activation's id, so that what the action's own code
// writes there answers nothing, and its result, or `!` and the reason of a developer's error. The first line out is
// {"ok":true}, or `!` with the reason why the code could not be loaded.
const fs = require('fs');
const path = require('path');
const Module = require('module');
const { pathToFileURL } = require('url');

const ROOT = '/var/task';
const name = process.env.ANYFN_MAIN || 'main';
const text = process.env.ANYFN_SOURCE;
delete process.env.ANYFN_MAIN;
delete process.env.ANYFN_SOURCE;

function say(line) {
  const bytes = Buffer.from(line + '\n');
  for (let at = 0; at < bytes.length;) {
    try {
      at += fs.writeSync(3, bytes, at);
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error;
    }
  }
}

const failed = (message) => '!' + JSON.stringify(message);

const member = (from, dotted) => dotted.split('.').reduce((at, key) => (at == null ? undefined : at[key]), from);

function entry(loaded) {
  const found = member(loaded, name) || (loaded && loaded.default && member(loaded.default, name));
  if (typeof found === 'function') return found;
  if (typeof loaded === 'function') return loaded;
  throw new Error(`Action entrypoint '${name}' is not a function.`);
}

async function fromText(file) {
  const source = fs.readFileSync(file, 'utf8');
  if (/^\s*(import\s+[\w*{'"]|export\s+(default|async|function|const|let|class|\{))/m.test(source)) {
    const copy = '/tmp/index.mjs';
    fs.writeFileSync(copy, source);
    return entry(await import(pathToFileURL(copy).href));
  }
  const module = new Module(file, null);
  module.filename = file;
  module.paths = Module._nodeModulePaths(ROOT);
  // The entry may be a function of the file that nobody exports.
  module._compile(`${source}\n;module.__anyfn = (code) => { try { return eval(code); } catch { return undefined; } };`, file);
  const own = /^[\w$.]+$/.test(name) ? module.__anyfn(name) : undefined;
  return typeof own === 'function' ? own : entry(module.exports);
}

async function fromFolder() {
  const manifest = path.join(ROOT, 'package.json');
  const main = fs.existsSync(manifest) ? JSON.parse(fs.readFileSync(manifest, 'utf8')).main : undefined;
  if (!main && !fs.existsSync(path.join(ROOT, 'index.js')) && !fs.existsSync(path.join(ROOT, 'index.mjs'))) {
    throw new Error('Zipped actions must contain either package.json or index.js at the root.');
  }
  const start = path.join(ROOT, main || (fs.existsSync(path.join(ROOT, 'index.js')) ? 'index.js' : 'index.mjs'));
  try {
    return entry(require(start));
  } catch (error) {
    if (error.code !== 'ERR_REQUIRE_ESM' && !/Cannot use import statement|Unexpected token 'export'/.test(error.message)) throw error;
    return entry(await import(pathToFileURL(start).href));
  }
}

function told(error) {
  if (error === undefined || error === null) return {};
  if (!(error instanceof Error)) return error;
  return { name: error.name, message: error.message, stack: error.stack, ...error };
}

async function run(main, value) {
  let result;
  try {
    result = main(value);
  } catch (error) {
    console.error(error);
    return failed(`An error has occurred: ${error}`);
  }
  try {
    result = await result;
  } catch (error) {
    result = { error: told(error) };
  }
  if (result === undefined) result = {};
  if (result === null || typeof result !== 'object') return failed('The action did not return a dictionary.');
  try {
    return JSON.stringify(result);
  } catch (error) {
    console.error(error);
    return failed(`The action's result is no JSON: ${error.message}`);
  }
}

async function serve() {
  let main;
  try {
    main = text ? await fromText(path.join(ROOT, text)) : await fromFolder();
  } catch (error) {
    console.error(error);
    return say(failed(`Initialization has failed due to: ${error}`));
  }
  say('{"ok":true}');
  let waiting = [];
  let turn = Promise.resolve();
  const call = async (line) => {
    const { value, ...facts } = JSON.parse(line);
    for (const [key, fact] of Object.entries(facts)) process.env[`__OW_${key.toUpperCase()}`] = String(fact);
    say(`${facts.activation_id} ${await run(main, value)}`);
  };
  process.stdin.on('data', (chunk) => {
    let from = 0;
    for (let end; (end = chunk.indexOf(10, from)) >= 0; from = end + 1) {
      const line = Buffer.concat([...waiting, chunk.subarray(from, end)]).toString();
      waiting = [];
      turn = turn.then(() => call(line));
    }
    if (from < chunk.length) waiting.push(chunk.subarray(from));
  });
  process.stdin.on('end', () => process.exit(0));
}

serve();
