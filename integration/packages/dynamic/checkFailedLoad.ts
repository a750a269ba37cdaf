import { rmSync } from 'node:fs';
import path from 'node:path';
import { HELLO, send, until } from '../../http';
import { expectEqual, Report } from '../../Report';
import { ATTACKED, CATALOG } from './checkDecisions';
import { DynamicBackend, GATE_DYNAMIC, linesAt, World } from './World';

/** Creates a backend whose export of the gate lacks a file, relative to its folder. */
async function createWithout(world: World, name: string, file: string) {
  const backend = await world.create(name, { pluginConfig: ATTACKED });
  rmSync(path.join(backend.gateFolder, file), { recursive: true });
  return backend;
}

/** Starts a backend in which the feature service can't load the gate: all is open. */
export async function startOpen(world: World): Promise<DynamicBackend> {
  const open = await createWithout(world, 'open', 'bin/dynamic-plugin.cjs');
  await open.start();
  return open;
}

/** Checks what an operator sees of a gate that does not load. */
export async function checkFailedLoad(
  report: Report,
  world: World,
  open: DynamicBackend,
): Promise<void> {
  await report.check(
    '[P70] a gate that the feature service can not load leaves all open, with one error in the log',
    async () => {
      const { status } = await send(open.port);
      expectEqual('without a credential', status, 200);
      const lines = linesAt(open, 'warn', 'error').filter(line =>
        line.includes(GATE_DYNAMIC),
      );
      expectEqual('lines', lines.length, 1);
      expectEqual('lines of the gate', /API gate/.test(open.log), false);
      return lines[0];
    },
  );
  await report.check(
    '[P70] a gate that loads in part stops the start',
    async () => {
      const file = 'dist/gate/decide.cjs.js';
      const backend = await createWithout(world, 'partly', file);
      await expectNoStart(backend, 'decide.cjs');
      return `without ${file}`;
    },
  );
}

/** Expects that a backend serves nothing, and that its log has a text. The process ends, or stays without being ready. */
export async function expectNoStart(
  backend: DynamicBackend,
  text: string,
): Promise<void> {
  let end: 'started' | 'ended' | undefined;
  backend.start().then(
    () => {
      end = 'started';
    },
    () => {
      end = 'ended';
    },
  );
  await until('the start is over', 60_000, async () =>
    Boolean(end || backend.log.includes('Unhandled rejection')),
  );
  expectEqual('it is started', end === 'started', false);
  expectEqual(`the log has ${text}`, backend.log.includes(text), true);
  const statuses: string[] = [];
  for (const target of [HELLO, CATALOG, '/.backstage/health/v1/readiness']) {
    const answer = await send(backend.port, { path: target }).catch(
      () => undefined,
    );
    statuses.push(String(answer?.status ?? 'none'));
  }
  backend.killNow();
  expectEqual(
    `what it serves, ${statuses}`,
    ['none,none,none', '404,404,503'].includes(String(statuses)),
    true,
  );
}
