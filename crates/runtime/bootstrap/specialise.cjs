'use strict';
// What makes a forked child a function's: its environment, its folders, its place in the process tree. Two frames come, so
// that one wake is enough for both where the second is late: SPECIALISE with the environment, and GO when the sandbox has
// the function's folders.

const fs = require('fs');
const Module = require('module');
const template = require('./template.cjs');

const SPECIALISE = 2;
const GO = 3;
const WAIT = 4;
const ACCEPT = 25;
// The first byte of SPECIALISE.
const CHECK = 1;

// Replaces all of it, for scripts and for C code. `NAME=value`, each ended by a NUL.
function environment(block) {
  const { env } = process;
  for (const name of Object.keys(env)) delete env[name];
  for (const pair of block.toString('utf8').split('\0')) {
    const at = pair.indexOf('=');
    if (at > 0) env[pair.slice(0, at)] = pair.slice(at + 1);
  }
}

// Blocks until this process is somebody's. Does not come back if nobody wants it.
function run(readFrame, send, rehearse) {
  let frame = readFrame();
  if (frame !== null && frame[0] === WAIT) {
    try {
      rehearse();
    } catch {
      // Then the first time is later.
    }
    frame = readFrame();
  }
  if (frame === null || frame[0] !== SPECIALISE) process.reallyExit(0);
  const check = frame[1] & CHECK;
  environment(frame.subarray(2));
  template.settle();
  // `NODE_PATH` is read at the start, and again here.
  Module._initPaths();
  frame = readFrame();
  if (frame === null || frame[0] !== GO) process.reallyExit(0);
  process.chdir(process.env.LAMBDA_TASK_ROOT || '/var/task');
  // Packages are found by their paths, so one that the function brings is never taken for one that is loaded.
  if (check) send(ACCEPT, '');
}

module.exports = { run, environment };
