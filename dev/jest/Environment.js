const { AsyncLocalStorage } = require('node:async_hooks');
const { createRequire } = require('node:module');
const path = require('node:path');
const requireOfJest = require('./requireOfJest');

require('./countVerifications');

const { LegacyFakeTimers, ModernFakeTimers } =
  requireOfJest('@jest/fake-timers');
const { ModuleMocker } = requireOfJest('jest-mock');

// Jest's own list of handlers of test events: two from when it was loaded, and those that it has added for each test file.
const eventHandlers = () => globalThis[Symbol.for('EVENT_HANDLERS')];
const HANDLERS_OF_ALL_FILES = 2;

const pools = new Set();
const storages = new Set();
const timers = new Set();

// A gate of the legacy system polls until its process ends. Left alone, it would set the next timer with the fake clock of a later file.
const SOURCES = path.join(__dirname, '../../src/');
for (const name of ['setTimeout', 'setInterval']) {
  const set = globalThis[name];
  const setRecorded = (...args) => {
    const timer = set(...args);
    // Timers of Node and of packages, which run for all files, may be set below a function of a file, too.
    if (new Error().stack.split('\n', 3)[2]?.includes(SOURCES)) {
      timers.add(timer);
    }
    return timer;
  };
  globalThis[name] = Object.defineProperties(
    setRecorded,
    Object.getOwnPropertyDescriptors(set),
  );
}

// Jest creates a storage for each test file and leaves it enabled, so that every promise of every later file passes it on.
const { run } = AsyncLocalStorage.prototype;
AsyncLocalStorage.prototype.run = function runRecorded(...args) {
  storages.add(this);
  return run.apply(this, args);
};

/**
 * Records the pools of databases. Backstage never destroys them (`DatabaseManager.shutdown` calls `client.config.includes`, which
 * does not exist, and drops the error), and a timer of each keeps the worker from exiting.
 */
function recordPools(requireOfSource) {
  const { prototype } = requireOfSource('knex/lib/client');
  const { initializePool } = prototype;
  if (initializePool.name === 'initializePool') {
    prototype.initializePool = function initializeRecordedPool(...args) {
      initializePool.apply(this, args);
      pools.add(this.pool);
    };
  }
}

/** Runs test files in Node's own context (see `Runtime.js`), and removes what a file leaves there before the next one runs. */
module.exports = class Environment {
  global = globalThis;
  moduleMocker = new ModuleMocker(globalThis);
  #console = console;
  #env = { ...process.env };
  #exit = process.exit;
  #listeners = process
    .eventNames()
    .map(event => [event, process.rawListeners(event)]);

  constructor({ projectConfig }) {
    const { global, moduleMocker } = this;
    // Node's own streams, sockets and `fetch` call these too.
    const config = {
      ...projectConfig,
      fakeTimers: { doNotFake: ['nextTick', 'queueMicrotask'] },
    };
    this.fakeTimersModern = new ModernFakeTimers({ config, global });
    this.fakeTimers = new LegacyFakeTimers({
      config,
      global,
      moduleMocker,
      timerConfig: { idToRef: id => id, refToId: timer => timer },
    });
    recordPools(createRequire(path.join(config.rootDir, 'index.js')));
  }

  exportConditions() {
    return ['node', 'node-addons'];
  }

  // Jest reads `undefined` as an environment that has ended.
  getVmContext() {
    return {};
  }

  async setup() {}

  async teardown() {
    this.fakeTimers.dispose();
    this.fakeTimersModern.dispose();
    this.moduleMocker.restoreAllMocks();
    globalThis.console = this.#console;
    process.exit = this.#exit;
    Object.keys(process.env)
      .filter(name => !(name in this.#env))
      .forEach(name => delete process.env[name]);
    Object.assign(process.env, this.#env);
    this.#removeListeners();
    // Jest removes none, and they would hold what each file has loaded.
    eventHandlers()?.splice(HANDLERS_OF_ALL_FILES);
    await Promise.all([...pools].map(pool => pool.destroy()));
    pools.clear();
    timers.forEach(timer => clearTimeout(timer));
    timers.clear();
    // A storage that is used again enables itself.
    storages.forEach(storage => storage.disable());
    storages.clear();
  }

  // Backstage ends the process with 0 on `beforeExit`.
  #removeListeners() {
    const before = new Map(this.#listeners);
    for (const event of process.eventNames()) {
      process
        .rawListeners(event)
        .filter(listener => !before.get(event)?.includes(listener))
        .forEach(listener => process.removeListener(event, listener));
    }
  }
};
