// Runs the plugins of one deployment in several backends: see `run`.
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import type { JsonObject } from '@backstage/types';
import { merge } from 'lodash';
import { freePort } from '../../../src/__tests__/__testUtils__/freePort';
import { BackendProcess } from '../../BackendProcess';
import { runChecks } from '../../runChecks';
import { checkAuthGone } from './checkAuthGone';
import { checkCallers } from './checkCallers';
import { checkDoor } from './checkDoor';
import { checkGateway } from './checkGateway';
import { checkSignOut } from './checkSignOut';
import { CREDENTIAL_HEADER, EXTERNAL, usersPass, World } from './World';

const LIMIT_MS = 120_000;
const FIRST = ['auth', 'catalog', 'gateway'];
const SECOND = ['hello', 'notes', 'techdocs'];

const restrictedTo = (plugin: keyof typeof EXTERNAL) => ({
  type: 'static',
  options: { token: EXTERNAL[plugin], subject: `script-for-${plugin}` },
  accessRestrictions: [{ plugin }],
});

runChecks(
  { name: 'split', limitMs: LIMIT_MS },
  async ({ report, folder, atExit, createKey }) => {
    const key = await createKey();
    const ports = {
      first: await freePort(),
      second: await freePort(),
      door: await freePort(),
      home: await freePort(),
    };
    const addressOf = (port: number) =>
      `http://127.0.0.1:${port}/api/{{pluginId}}`;
    const at = (port: number, ...plugins: string[]) => ({
      target: { internal: addressOf(port) },
      plugins,
    });

    const create = (
      name: string,
      port: number,
      plugins: string[],
      config: JsonObject,
    ) => {
      const directory = path.join(folder, name);
      mkdirSync(directory, { recursive: true });
      const backend = new BackendProcess(name, port, {
        module: path.join(__dirname, 'backend.ts'),
        logFile: path.join(folder, `${name}.log`),
        logLevel: 'info',
        config: {
          plugins,
          config: merge(
            {
              app: { baseUrl: `http://localhost:${ports.first}` },
              backend: {
                // All backends share this address, which browsers use and which is the issuer of user tokens.
                baseUrl: `http://localhost:${ports.first}`,
                listen: { host: '127.0.0.1', port },
                // The databases are files, so that a backend that starts again has its keys.
                database: {
                  client: 'better-sqlite3',
                  connection: { directory },
                },
                auth: {
                  externalAccess: [
                    {
                      type: 'static',
                      options: {
                        token: EXTERNAL.unrestricted,
                        subject: 'script',
                      },
                    },
                    restrictedTo('hello'),
                    restrictedTo('catalog'),
                  ],
                },
              },
              auth: {
                ...(key.config.auth as JsonObject),
                providers: {
                  guest: { dangerouslyAllowOutsideDevelopment: true },
                },
              },
            },
            config,
          ),
        },
      });
      atExit.push(() => backend.killNow());
      return backend;
    };

    const allow = (...paths: string[]) => ({
      auth: {
        apiGate: {
          credentialHeader: CREDENTIAL_HEADER,
          allow: paths.map(each => ({ plugin: 'hello', path: each })),
        },
      },
    });
    const secondConfig = {
      discovery: { endpoints: [at(ports.first, 'auth', 'catalog')] },
      ...allow('/public/at-second', '/public/at-both'),
    };
    const world: World = {
      first: create('first', ports.first, FIRST, {
        discovery: { endpoints: [at(ports.second, ...SECOND)] },
        ...allow('/public/at-first', '/public/at-both'),
      }),
      second: create('second', ports.second, SECOND, secondConfig),
      createDoorAndHome: () => ({
        door: create('door', ports.door, ['gateway'], {
          // The last configuration that names a plugin is in force.
          discovery: {
            endpoints: [at(ports.home, '*'), at(ports.door, 'gateway')],
          },
        }),
        home: create('home', ports.home, ['auth', 'catalog', 'hello'], {
          discovery: { endpoints: [at(ports.door, 'gateway')] },
          auth: { apiGate: { signOut: { providers: ['guest'] } } },
        }),
      }),
      sign: claims =>
        key.sign({
          iss: `http://localhost:${ports.first}/api/auth`,
          ...claims,
        }),
    };
    await Promise.all([world.first.start(), world.second.start()]);
    await usersPass(world.second.port, await world.sign());
    await checkCallers(report, world);
    await checkGateway(report, world);
    await checkSignOut(report, world);
    await checkDoor(report, world);
    await checkAuthGone(report, world);
  },
);
