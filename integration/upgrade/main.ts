// Performs a rolling update from 0.1.0 and back: see `run`.
import { randomBytes } from 'node:crypto';
import type { JsonObject } from '@backstage/types';
import { freePort } from '../../src/__testUtils__/startBackend';
import { expectEqual } from '../Report';
import { postgresUrl, runChecks } from '../runChecks';
import { Replica, Version } from './Replica';
import { Sessions } from './Sessions';

const LIMIT_MS = 400_000;

runChecks(
  { name: 'upgrade', limitMs: LIMIT_MS },
  async ({ report, folder, atExit, createKey }) => {
    const url = postgresUrl();
    const key = await createKey();
    const baseUrl = `http://localhost:${await freePort()}`;
    const prefix = `upgrade_${randomBytes(4).toString('hex')}_`;
    const createReplica = async (name: string) => {
      const port = await freePort();
      const config: JsonObject = {
        app: { baseUrl },
        backend: {
          baseUrl,
          listen: { host: '127.0.0.1', port },
          database: { client: 'pg', connection: url, prefix },
        },
        // Each replica verifies with its own `auth`.
        discovery: {
          endpoints: [
            {
              target: {
                internal: `http://127.0.0.1:${port}/api/{{pluginId}}`,
                external: `${baseUrl}/api/{{pluginId}}`,
              },
              plugins: ['auth', 'hello'],
            },
          ],
        },
        auth: {
          ...(key.config.auth as JsonObject),
          providers: { guest: { dangerouslyAllowOutsideDevelopment: true } },
        },
      };
      const replica = new Replica(name, port, config, folder);
      atExit.push(() => replica.killNow());
      return replica;
    };
    const [a, b] = [await createReplica('A'), await createReplica('B')];
    const sessions = new Sessions([a, b], claims =>
      key.sign({ iss: `${baseUrl}/api/auth`, ...claims }),
    );

    const step = (name: string, replica: Replica, version: Version) =>
      report.check(name, async () => {
        await sessions.whileProbing(() => replica.replaceBy(version));
        await sessions.signOutAtEach();
        return sessions.expectAllAsTheyWere();
      });

    await a.replaceBy('old');
    await b.replaceBy('old');
    await sessions.openAtEach();
    await step('B is updated, beside A of 0.1.0', b, 'new');
    await step('A is updated', a, 'new');
    await sessions.openAtEach();
    await step('B is rolled back, beside A of this version', b, 'old');
    await step('A is rolled back', a, 'old');
    await step('B is updated again', b, 'new');
    await report.check('requests during all of that', async () => {
      expectEqual('refused though signed in', sessions.wronglyRefused, []);
      expectEqual('passed though signed out', sessions.wronglyPassed, []);
      return `${sessions.probes} requests`;
    });
  },
);
