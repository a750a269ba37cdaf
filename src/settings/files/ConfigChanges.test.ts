import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { AppConfig, ConfigReader } from '@backstage/config';
import { FileConfigSource } from '@backstage/config-loader';
import { createReloadableConfig } from '../../__tests__/__testUtils__/reloadableConfig';
import { temporaryFolder } from '../../__tests__/__testUtils__/temporaryFolder';
import { ConfigChanges } from './ConfigChanges';

// Files are really read, which takes real time.
const { setTimeout: reallyWait } = global;
let mockReads = 0;
async function* mockCount<T>(reading: () => AsyncIterable<T>) {
  mockReads += 1;
  try {
    yield* reading();
  } finally {
    mockReads -= 1;
  }
}

jest.mock('node:fs/promises', () => {
  const actual = jest.requireActual('node:fs/promises');
  return {
    ...actual,
    async stat(file: string) {
      mockReads += 1;
      return actual.stat(file).finally(() => {
        mockReads -= 1;
      });
    },
  };
});

let folder: string;
const stops: (() => void)[] = [];
beforeEach(() => {
  folder = temporaryFolder();
  jest.useFakeTimers({ doNotFake: ['nextTick'] });
  const { create } = FileConfigSource;
  jest.spyOn(FileConfigSource, 'create').mockImplementation(options => {
    const created = create(options);
    return {
      readConfigData: () => mockCount(() => created.readConfigData()),
      toString: () => String(created),
    };
  });
});
afterEach(() => {
  jest.restoreAllMocks();
  stops.splice(0).forEach(stop => stop());
  jest.useRealTimers();
});

const write = (name: string, text: string) =>
  writeFileSync(path.join(folder, name), text);

/** Lets files be read. Backstage waits before it reads an empty file again, so that such a read does not end in this time. */
async function letRead(ms: number) {
  for (let i = 0; i === 0 || (mockReads > 0 && i < ms); i += 1) {
    await new Promise(resolve => reallyWait(resolve, 1));
  }
}

/** Lets time pass in steps, and files be read after each. */
async function pass(ms: number, step = 100) {
  for (let passed = 0; passed < ms; passed += step) {
    jest.advanceTimersByTime(step);
    await letRead(50);
  }
  // A loaded machine needs longer.
  await letRead(300);
}

/** Returns the data of a file as Backstage has it. */
const gate = (apiGate: string): object => ({ auth: { apiGate } });

/** Starts with configuration files that Backstage has read as they are, and a source that is no file. */
async function start(names: string[], contexts: AppConfig[]) {
  const { config, change } = createReloadableConfig(
    ConfigReader.fromConfigs(contexts),
  );
  const taken: [unknown, string[]][] = [];
  const argv = names.flatMap(name => ['--config', path.join(folder, name)]);
  jest.replaceProperty(process, 'argv', argv);
  const changes = new ConfigChanges(config, (read, unreadable) =>
    taken.push([read.getOptional('auth.apiGate'), unreadable]),
  );
  stops.push(() => changes.stop());
  await pass(100);
  // The files have to be read before a change, which is compared with them.
  await letRead(2_000);
  return {
    changes,
    /** Returns what was taken since the last call: the value of `auth.apiGate`, and the names of files that could not be read. */
    take: () => taken.splice(0),
    change: (...changed: AppConfig[]) =>
      change(ConfigReader.fromConfigs(changed)),
  };
}

const source = (context: string, data: object) =>
  ({ context, data }) as AppConfig;

const FILE = 'app-config.yaml';

describe('[P101] a change', () => {
  async function startWithFile() {
    write(FILE, 'auth: { apiGate: a }');
    const { change, ...others } = await start(
      [FILE],
      [source(FILE, gate('a'))],
    );
    return {
      ...others,
      change: (apiGate: string) => change(source(FILE, gate(apiGate))),
    };
  }

  it('is taken 1.5 seconds after the last event', async () => {
    const { change, take } = await startWithFile();
    change('b');
    await pass(1_000);
    write(FILE, 'auth: { apiGate: c }');
    change('c');
    await pass(1_400);
    expect(take()).toEqual([]);
    await pass(200);
    expect(take()).toEqual([['c', []]]);
    await pass(20_000);
    expect(take()).toEqual([]);
  });

  it('is taken after five seconds where a file changes all the time', async () => {
    const { change, take } = await startWithFile();
    for (let i = 0; i < 10; i += 1) {
      expect(take()).toEqual([]);
      write(FILE, `auth: { apiGate: c${i} }`);
      change(`c${i}`);
      await pass(500);
    }
    // The files are read at the end of the five seconds, which takes real time.
    await pass(200);
    expect(take()).toHaveLength(1);
  });

  it('waits for files that differ, and is taken as they are after ten seconds', async () => {
    const { change, take } = await startWithFile();
    write(FILE, 'auth: { apiGate: whole }');
    change('part');
    await pass(8_900);
    expect(take()).toEqual([]);
    await pass(1_100);
    expect(take()).toEqual([['whole', []]]);
  });

  it('is taken as soon as files that differed agree', async () => {
    const { change, take } = await startWithFile();
    write(FILE, 'auth: { apiGate: c }');
    change('b');
    await pass(3_000);
    expect(take()).toEqual([]);
    write(FILE, 'auth: { apiGate: b }');
    await pass(600);
    expect(take()).toEqual([['b', []]]);
  });

  it('is taken as Backstage has it, where the gate has never read a file with the same result', async () => {
    write(FILE, 'auth: { apiGate: another }');
    const { change, take } = await start([FILE], [source(FILE, gate('a'))]);
    change(source(FILE, gate('b')));
    await pass(1_600);
    expect(take()).toEqual([['b', []]]);
  });

  it('is taken as Backstage has it, where the gate has read another file of that name and text', async () => {
    const { change, take } = await startWithFile();
    change('b');
    await pass(1_600);
    expect(take()).toEqual([['b', []]]);
  });

  it('is taken as Backstage has it beside a file of that name which is not there', async () => {
    const { change, take } = await start([FILE], [source(FILE, gate('a'))]);
    change(source(FILE, gate('b')));
    await pass(1_600);
    expect(take()).toEqual([['b', []]]);
  });

  it('is taken as Backstage has it, where the files are not known', async () => {
    const { change, take } = await start([], [source(FILE, gate('a'))]);
    change(source(FILE, gate('b')));
    await pass(1_400);
    expect(take()).toEqual([]);
    await pass(200);
    expect(take()).toEqual([['b', []]]);
  });

  it.each(['https://config.example.com/gate.yaml', 'env', 'mock-config'])(
    'of %s is taken immediately',
    async context => {
      const { change, take } = await start([], [source(context, gate('a'))]);
      change(source(context, gate('b')));
      expect(take()).toEqual([['b', []]]);
    },
  );

  it('does not wait for a file that can not be read and that gives the gate nothing', async () => {
    write(FILE, 'auth: { apiGate: a }');
    write('beside.yaml', 'app: { title: Beside }');
    const beside = source('beside.yaml', { app: { title: 'Beside' } });
    const { change, take } = await start(
      [FILE, 'beside.yaml'],
      [source(FILE, gate('a')), beside],
    );
    write('beside.yaml', 'app: {');
    write(FILE, 'auth: { apiGate: b }');
    change(source(FILE, gate('b')), beside);
    await pass(1_600);
    expect(take()).toEqual([['b', ['beside.yaml']]]);
  });

  it('waits for a file that is not complete, beside one that can not be looked up', async () => {
    write(FILE, 'auth: { apiGate: a }');
    symlinkSync('loop.yaml', path.join(folder, 'loop.yaml'));
    const { change, take } = await start(
      [FILE, 'loop.yaml'],
      [source(FILE, gate('a'))],
    );
    write(FILE, 'auth: { apiGate: whole }');
    change(source(FILE, gate('half')));
    await pass(1_600);
    expect(take()).toEqual([]);
  });

  it('is taken beside a pipe, which no one can read again', async () => {
    write(FILE, 'auth: { apiGate: a }');
    execFileSync('mkfifo', [path.join(folder, 'pipe.yaml')]);
    const pipe = source('pipe.yaml', { app: {} });
    const { change, take } = await start(
      [FILE, 'pipe.yaml'],
      [source(FILE, gate('a')), pipe],
    );
    write(FILE, 'auth: { apiGate: b }');
    change(source(FILE, gate('b')), pipe);
    await pass(1_600);
    expect(take()).toEqual([['b', []]]);
  });

  it('waits ten seconds at most for a file that gives a value and can not be read', async () => {
    const { change, take } = await startWithFile();
    rmSync(path.join(folder, FILE));
    mkdirSync(path.join(folder, FILE));
    change('b');
    await pass(8_900);
    expect(take()).toEqual([]);
    await pass(1_100);
    expect(take()).toEqual([['b', [FILE]]]);
  });

  it('is not taken from a file that has lost the end of its last line, until the file has one again', async () => {
    write(FILE, 'auth: { apiGate: whole }\n');
    const { change, take } = await start([FILE], [source(FILE, gate('whole'))]);
    // Backstage has read what is left, which is another value.
    write(FILE, 'auth:\n  apiGate: who');
    change(source(FILE, gate('who')));
    await pass(8_900);
    expect(take()).toEqual([]);
    await pass(1_100);
    expect(take()).toEqual([['who', [FILE]]]);
    write(FILE, 'auth:\n  apiGate: who\n');
    change(source(FILE, gate('who')));
    await pass(1_600);
    expect(take()).toEqual([['who', []]]);
  });

  it('that was rejected is looked at again after a minute, with the files as they are then', async () => {
    const { change, changes, take } = await startWithFile();
    write(FILE, '');
    change('b');
    await pass(10_100);
    expect(take()).toEqual([[undefined, []]]);
    changes.lookAgain();
    write(FILE, 'auth: { apiGate: b }');
    await pass(59_000, 1_000);
    expect(take()).toEqual([]);
    await pass(1_100);
    expect(take()).toEqual([['b', []]]);
    await pass(70_000, 1_000);
    expect(take()).toEqual([]);
  });

  it('is not taken after the end', async () => {
    const { change, changes, take } = await startWithFile();
    write(FILE, 'auth: { apiGate: b }');
    change('b');
    changes.stop();
    await pass(20_000);
    expect(take()).toEqual([]);
  });
});
