'use strict';
// Runs code in this process, so that variables stay between runs. Requests on descriptor 3, events on 4: one JSON
// object a line. Descriptors 1 and 2 belong to the user. Works on Node 12 and later.
const fs = require('fs');
const vm = require('vm');
const util = require('util');
const path = require('path');
const Module = require('module');

const REQUESTS = 3;
const EVENTS = 4;
let running = false;
let abort = null;
let serial = 0;
let pending = Buffer.alloc(0);

function send(event) {
  let data = Buffer.from(JSON.stringify(event) + '\n');
  while (data.length > 0) data = data.subarray(fs.writeSync(EVENTS, data));
}

function takeLine() {
  const at = pending.indexOf(10);
  if (at < 0) return null;
  const line = pending.subarray(0, at).toString('utf8');
  pending = pending.subarray(at + 1);
  return line;
}

function readLineSync() {
  const chunk = Buffer.alloc(65536);
  for (;;) {
    const line = takeLine();
    if (line !== null) return line;
    const size = fs.readSync(REQUESTS, chunk, 0, chunk.length, null);
    if (size === 0) process.exit(0);
    pending = Buffer.concat([pending, chunk.subarray(0, size)]);
  }
}

function readLine(done) {
  const line = takeLine();
  if (line !== null) return done(line);
  const chunk = Buffer.alloc(65536);
  fs.read(REQUESTS, chunk, 0, chunk.length, null, (error, size) => {
    if (error || size === 0) process.exit(0);
    pending = Buffer.concat([pending, chunk.subarray(0, size)]);
    readLine(done);
  });
}

function ask(prompt, password) {
  if (!running) throw new Error('input can only be asked for while code runs');
  if (prompt !== undefined && prompt !== '') process.stdout.write(String(prompt));
  send({ event: 'input', password });
  return JSON.parse(readLineSync()).text;
}

/** The stack as far as it is the user's: lines of this file and of Node's own machinery below it are left out. */
function describe(error) {
  if (!(error instanceof Error) || typeof error.stack !== 'string') return 'Uncaught ' + util.inspect(error);
  const lines = error.stack.split('\n');
  const ours = lines.findIndex((line) => line.includes(__filename) || /node:vm|\(vm\.js|at Script\.runIn/.test(line));
  return 'Uncaught ' + (ours < 0 ? lines : lines.slice(0, ours)).join('\n');
}

function compile(code) {
  serial += 1;
  const options = { filename: '<code ' + serial + '>' };
  const dynamic = vm.constants && vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER;
  if (dynamic) options.importModuleDynamically = dynamic;
  try {
    return new vm.Script(code, options);
  } catch (error) {
    if (!/\bawait\b/.test(code) || !(error instanceof SyntaxError)) throw error;
    // A top-level await: the code becomes an async function, so its own `let` and `const` end with the run.
    try {
      return new vm.Script('(async () => (' + code.trim().replace(/;$/, '') + '\n))()', options);
    } catch (ignored) {
      return new vm.Script('(async () => {' + code + '\n})()', options);
    }
  }
}

async function run(code) {
  running = true;
  // A promise that nothing settles must not end the process.
  const alive = setInterval(() => {}, 1 << 30);
  try {
    let value = compile(code).runInThisContext({ breakOnSigint: true, displayErrors: false });
    if (value instanceof Promise) {
      value = await Promise.race([value, new Promise((_, reject) => (abort = reject))]);
    }
    if (value !== undefined) {
      globalThis._ = value;
      process.stdout.write(util.inspect(value));
    }
    return 0;
  } catch (error) {
    const interrupted = error && error.code === 'ERR_SCRIPT_EXECUTION_INTERRUPTED';
    process.stderr.write(interrupted ? 'Interrupted\n' : describe(error) + '\n');
    return 1;
  } finally {
    clearInterval(alive);
    running = false;
    abort = null;
  }
}

// Written at once and outside Node's streams: an interrupt in the middle of a write would leave those unusable.
for (const [stream, descriptor] of [
  [process.stdout, 1],
  [process.stderr, 2],
]) {
  const cell = new Int32Array(new SharedArrayBuffer(4));
  stream.write = (chunk, encoding, callback) => {
    let data = typeof chunk === 'string' ? Buffer.from(chunk, typeof encoding === 'string' ? encoding : 'utf8') : chunk;
    while (data.length > 0) {
      try {
        data = data.subarray(fs.writeSync(descriptor, data));
      } catch (error) {
        if (error.code === 'EPIPE') break;
        if (error.code !== 'EAGAIN') throw error;
        Atomics.wait(cell, 0, 0, 1);
      }
    }
    const done = typeof encoding === 'function' ? encoding : callback;
    if (done) process.nextTick(done);
    return true;
  };
}
process.on('SIGINT', () => {
  if (abort) abort(Object.assign(new Error('Interrupted'), { code: 'ERR_SCRIPT_EXECUTION_INTERRUPTED' }));
});
process.on('uncaughtException', (error) => {
  if (abort) abort(error);
  else process.stderr.write(describe(error) + '\n');
});

const main = path.join(process.cwd(), '<code>');
const userModule = new Module(main);
userModule.filename = main;
userModule.paths = Module._nodeModulePaths(process.cwd());
globalThis.module = userModule;
globalThis.exports = userModule.exports;
globalThis.require = Module.createRequire(main);
globalThis.prompt = (text) => ask(text, false);
globalThis.promptPassword = (text) => ask(text, true);

function serve() {
  readLine((line) => {
    run(JSON.parse(line).code).then((code) => {
      send({ event: 'done', code });
      serve();
    });
  });
}
send({ event: 'ready' });
serve();
