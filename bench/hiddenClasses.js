// Shows, without Backstage and without the gate, what Express 4 costs each request: `node bench/hiddenClasses.js [requests]`.
const { execFileSync } = require('node:child_process');
const { once } = require('node:events');
const http = require('node:http');
const { connect } = require('node:net');
const { compileFunction } = require('node:vm');
const express = require('express');

/** The remedy: a constructor of Node's objects that have the prototype of Express from the start. */
function withPrototype(Original, prototype) {
  function Preset(first, second) {
    Original.call(this, first, second);
  }
  return Object.assign(Object.setPrototypeOf(Preset, Original), { prototype });
}

const presetClasses = app => ({
  IncomingMessage: withPrototype(http.IncomingMessage, app.request),
  ServerResponse: withPrototype(http.ServerResponse, app.response),
});

async function measure(requests, isPreset) {
  const seen = [];
  const app = express();
  for (const name of ['user', 'log', 'plugin', 'trace', 'auth']) {
    app.use((req, res, next) => {
      req[name] = [req.method, req.headers.host, res.locals];
      next();
    });
  }
  app.use((req, res) => {
    seen.unshift(req);
    seen.splice(2);
    res.json({ hello: 'world' });
  });
  const server = http.createServer(isPreset ? presetClasses(app) : {}, app);
  await once(server.listen(0, 'localhost'), 'listening');
  const socket = connect(server.address().port, 'localhost');
  let before;
  for (let answers = 0; answers < requests; answers += 1) {
    // The first half compiles the code.
    before = answers === requests / 2 ? process.cpuUsage() : before;
    socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await once(socket, 'data');
  }
  const { user, system } = process.cpuUsage(before);
  const micros = Math.round((user + system) / (requests / 2));
  const haveSame = compileFunction('return %HaveSameMap(a, b)', ['a', 'b']);
  console.log(`${micros} µs, hidden class shared: ${haveSame(...seen)}`);
  process.exit();
}

const [requests = 20_000, variant] = process.argv.slice(2);
if (variant) {
  measure(Number(requests), variant === 'preset');
} else {
  for (const each of ['as it comes', 'preset']) {
    process.stdout.write(`Express, prototypes ${each}: `);
    const args = ['--allow-natives-syntax', __filename, requests, each];
    execFileSync(process.execPath, args, { stdio: 'inherit' });
  }
}
