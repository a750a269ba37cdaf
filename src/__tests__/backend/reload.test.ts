import {
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import path from 'node:path';
import type { PolicyReport } from '../../operators/reports/createPolicyReport';
import { factsOf, whatsOf } from '../__testUtils__/factsOf';
import {
  BackendProcess,
  FILE,
  startBackendProcess,
  untilTaken,
} from '../__testUtils__/backendProcess';
import { bearer, POLICY } from '../__testUtils__/requestParts';
import { until } from '../__testUtils__/until';

jest.setTimeout(150_000);

const MODES = ['report-only', 'enforce'];
const READER = 'token-of-a-reader-of-the-policy';
const BESIDE = 'app: { title: Beside }';
const GONE = /^auth\.apiGate is gone from app-config\.yaml/;

const sleep = (ms: number) => new Promise(resolve => setTimeout(resolve, ms));

/** Creates settings with rules for some paths, and for one more as the last: a part of the file lacks that one, and the mode. */
const settings = (mode: string, ...paths: string[]) => ({
  backend: {
    auth: {
      externalAccess: [
        { type: 'static', options: { token: READER, subject: 'reader' } },
      ],
    },
  },
  auth: {
    apiGate: {
      allow: [
        ...paths,
        ...Array.from({ length: 30 }, (_, i) => `x${i}`),
        'kept',
      ].map(name => ({ plugin: 'absent', path: `/${name}`, reason: name })),
      mode,
    },
  },
});

/** Returns the paths that rules open, below the plugin of all rules here. */
const pathsOf = (report: PolicyReport) =>
  whatsOf(report, 'public').map(what => what.split('/api/absent')[1]);

const endOf = (day: number) => `2040-01-0${day}`;

/** Mounts a version of a ConfigMap as Kubernetes does, and removes the version before it. */
function mountConfigMap(folder: string, day: number) {
  const version = (of: number) => path.join(folder, `..v${of}`);
  mkdirSync(version(day));
  writeFileSync(
    path.join(version(day), 'configmap.yaml'),
    `auth: { apiGate: { tokens: [{ subject: reader, only: all, until: ${endOf(day)} }] } }`,
  );
  symlinkSync(`..v${day}`, path.join(folder, '..data_tmp'));
  renameSync(path.join(folder, '..data_tmp'), path.join(folder, '..data'));
  rmSync(version(day - 1), { recursive: true, force: true });
}

function addFiles(folder: string): string[] {
  writeFileSync(path.join(folder, 'app-config.local.yaml'), '# A comment\n');
  writeFileSync(path.join(folder, 'beside.yaml'), BESIDE);
  mountConfigMap(folder, 1);
  symlinkSync('..data/configmap.yaml', path.join(folder, 'configmap.yaml'));
  return [FILE, 'app-config.local.yaml', 'beside.yaml', 'configmap.yaml'];
}

/** A backend, with its files and what a test asks of it. */
function clientOf(mode: string, backend: BackendProcess) {
  const file = path.join(backend.folder, FILE);
  const statusOf = (name: string) => backend.statusOf(`/api/absent/${name}`);
  return {
    ...backend,
    mode,
    isEnforced: mode === 'enforce',
    file,
    statusOf,
    textWith: (...paths: string[]) => backend.textOf(settings(mode, ...paths)),
    write: (text: string) => writeFileSync(file, text),
    async policy(): Promise<PolicyReport> {
      const { status, body } = await backend.get(POLICY, bearer(READER));
      expect(status).toBe(200);
      return JSON.parse(body);
    },
    /** Waits until the policy in force has the rules for these paths. */
    async waitFor(...paths: string[]) {
      const wanted = [...paths, 'x0'].map(name => `/${name}`);
      await untilTaken(file, async () => {
        const found = pathsOf(await this.policy()).slice(0, wanted.length);
        return found.join() === wanted.join();
      });
    },
    /**
     * Sends requests while something runs, to a path that each whole file opens and to one that no file opens, and returns the
     * statuses that there were.
     */
    async probe(during: () => Promise<unknown>) {
      const seen = { kept: new Set<unknown>(), closed: new Set<unknown>() };
      let isOver = false;
      const ending = during().finally(() => {
        isOver = true;
      });
      while (!isOver) {
        seen.kept.add(await statusOf('kept'));
        seen.closed.add(await statusOf('closed'));
        await sleep(50);
      }
      await ending;
      return { kept: [...seen.kept], closed: [...seen.closed] };
    },
  };
}

type Client = ReturnType<typeof clientOf>;

const running: BackendProcess[] = [];

async function startAll() {
  return Promise.all(
    MODES.map(async mode => {
      const backend = await startBackendProcess(
        settings(mode, 'first'),
        {},
        addFiles,
      );
      running.push(backend);
      await until(async () => (await backend.probe())[0] === 200, 60_000);
      return clientOf(mode, backend);
    }),
  );
}

/** Runs something with a backend in each mode. At each probe, the answers must be those of a whole file. */
async function expectInBothModes(
  clients: Client[],
  run: (backend: Client) => Promise<unknown>,
) {
  const seen = await Promise.all(
    clients.map(async backend => [
      backend.mode,
      await backend.probe(() => run(backend)),
      (await backend.policy()).mode,
    ]),
  );
  expect(seen).toEqual([
    // A plugin that is not installed is 404 for whom the gate lets through.
    ['report-only', { kept: [404], closed: [404] }, 'report-only'],
    ['enforce', { kept: [404], closed: [401] }, 'enforce'],
  ]);
}

/** Returns a function that empties the file for a time, and then writes another version. */
const emptyFor = (ms: number) => async (backend: Client) => {
  const { problem } = await backend.policy();
  expect(problem).toBeUndefined();
  backend.write('');
  if (ms > 2_000) {
    await untilTaken(backend.file, async () =>
      GONE.test((await backend.policy()).problem ?? ''),
    );
  }
  await sleep(ms);
  backend.write(backend.textWith(`after-${ms}`));
  await backend.waitFor(`after-${ms}`);
  expect((await backend.policy()).problem).toBeUndefined();
};

let backends: Client[];
let emptied: Client[];
let emptyForAMinute: Promise<unknown>;
beforeAll(async () => {
  [backends, emptied] = await Promise.all([startAll(), startAll()]);
  emptyForAMinute = expectInBothModes(emptied, emptyFor(61_000));
  emptyForAMinute.catch(() => {});
});
afterAll(() => Promise.all(running.map(backend => backend.stop())));

/** Writes a file in place, in parts, which takes less than five seconds. */
async function copyInParts(backend: Client, parts: string[]) {
  const startedAt = Date.now();
  const handle = await open(backend.file, 'w');
  for (const [i, part] of parts.entries()) {
    await handle.write(part);
    const nextAt = startedAt + (4_000 * (i + 1)) / parts.length;
    await sleep(nextAt - Date.now());
  }
  await handle.close();
  expect(Date.now() - startedAt).toBeLessThan(5_000);
}

describe('[P100] a file that is empty for a moment', () => {
  it.each([300, 3_000])(
    'leaves the policy as it is for %i ms, and gives a new one after that',
    ms => expectInBothModes(backends, emptyFor(ms)),
  );
});

describe('[P101] a change of the files', () => {
  it('is taken whole where it is copied in place, line by line', () =>
    expectInBothModes(backends, async backend => {
      await copyInParts(backend, backend.textWith('copied').split(/(?<=\n)/));
      await backend.waitFor('copied');
    }));

  it('is taken where a file replaces another', () =>
    expectInBothModes(backends, async backend => {
      writeFileSync(`${backend.file}.new`, backend.textWith('renamed'));
      renameSync(`${backend.file}.new`, backend.file);
      await backend.waitFor('renamed');
    }));

  it('is taken where a ConfigMap has a new version', () =>
    expectInBothModes(backends, async backend => {
      mountConfigMap(backend.folder, 2);
      await untilTaken(path.join(backend.folder, 'configmap.yaml'), async () =>
        factsOf(await backend.policy(), 'external token').some(fact =>
          fact.until?.startsWith(endOf(2)),
        ),
      );
    }));

  it('closes what it removes within ten seconds, where the file changes each second', () =>
    expectInBothModes(backends, async backend => {
      backend.write(backend.textWith('temporary'));
      await backend.waitFor('temporary');
      const isClosed = async () =>
        pathsOf(await backend.policy())[0].startsWith('/second');
      const closing = until(isClosed, 10_000);
      for (let i = 0; i < 9; i += 1) {
        backend.write(backend.textWith(`second${i}`));
        await sleep(1_000);
      }
      await closing;
      await backend.waitFor('second8');
    }));

  it('is none where it is a comment', () =>
    expectInBothModes(backends, async backend => {
      const { hash, loadedAt } = await backend.policy();
      writeFileSync(
        path.join(backend.folder, 'app-config.local.yaml'),
        '# Another comment\n',
      );
      await sleep(3_000);
      expect(await backend.policy()).toMatchObject({ hash, loadedAt });
    }));

  it('is taken where an editor has kept a backup, or the policy route names the file', () =>
    expectInBothModes(backends, async backend => {
      const { hash } = await backend.policy();
      renameSync(backend.file, `${backend.file}~`);
      backend.write(backend.textWith('edited'));
      await sleep(4_000);
      // Backstage's watcher misses a file that is gone for too long.
      const report = await backend.policy();
      expect(report.problem).toBeUndefined();
      expect(report).toMatchObject(
        pathsOf(report)[0] === '/edited'
          ? { filesNewerThanPolicy: [] }
          : { filesNewerThanPolicy: [FILE], hash },
      );
    }));
});
