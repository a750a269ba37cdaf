import { execFileSync } from 'node:child_process';
import { blocksAfter } from '../../../src/__tests__/__testUtils__/documents';
import { BackendProcess } from '../../BackendProcess';
import { send } from '../../http';
import { expectEqual, Report } from '../../Report';

const FLOOD = 3_000;

const [SEARCH] = blocksAfter(
  'docs/rollout.md',
  '5. Wait until nothing that works would stop',
  'sh',
);

/** What works without a credential, and will be refused. */
const BEFORE = ['/badge', '/a/b', '/a/c', '/health', '/z'];
const AFTER = ['/http/github', '/late', '/a/d'];

/** Sends a request without a credential, which the plugin answers. */
async function call(port: number, path: string) {
  const { status } = await send(port, { path: `/api/hello${path}` });
  expectEqual(path, status, 200);
}

/**
 * Has clients call two replicas in report-only behind nginx, of which one is killed and the other one restarted meanwhile.
 *
 * @param port - that of nginx
 * @param folder - that of the logs, which have the names of the replicas
 */
export async function checkReportOnly(
  report: Report,
  [a, b]: BackendProcess[],
  { folder, port }: { folder: string; port: number },
) {
  await report.check(
    '[P29] what report-only lets work is found whole by the documented search of the logs, over a restart of both replicas and a flood',
    async () => {
      for (let i = 0; i < FLOOD; i += 20) {
        await Promise.all(
          Array.from({ length: 20 }, (_, j) => call(port, `/id/${i + j}`)),
        );
        // The others come while the flood lasts.
        const other = BEFORE[i / 500];
        if (other) {
          await call(port, other);
        }
      }
      await a.kill();
      await b.terminate();
      await a.start();
      await b.start();
      for (const path of AFTER) {
        await call(port, path);
      }
      await Promise.all([a.terminate(), b.terminate()]);

      const found = execFileSync(
        'bash',
        [
          '-euo',
          'pipefail',
          '-c',
          SEARCH.replace('*.log', `${a.name}.log ${b.name}.log`),
        ],
        { cwd: folder, encoding: 'utf8' },
      );
      const called = [...BEFORE, ...AFTER];
      const counts = new Map<string, number>(
        found
          .trim()
          .split('\n')
          .map(line => {
            const [count, method, path, reason] = line.split(' ');
            expectEqual(line, [method, reason], ['GET', 'missing-credentials']);
            return [path.replace('/api/hello', ''), Number(count)] as const;
          }),
      );
      for (const path of called) {
        expectEqual(path, counts.get(path), 1);
      }
      const others = [...counts.keys()].filter(path => !called.includes(path));
      const named = others.filter(path => /^\/id\/(\d+|\*)$/.test(path));
      expectEqual('other paths', named, others);
      const lines = found.trim().split('\n').length;
      expectEqual(`${lines} lines`, lines <= called.length + 21, true);
      return `${called.length} paths beside ${named.length} of a flood of ${FLOOD}`;
    },
  );
}
