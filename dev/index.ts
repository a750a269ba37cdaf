import './withoutDevStore';
import { Config } from '@backstage/config';
import { InputError } from '@backstage/errors';
import type { JsonObject } from '@backstage/types';
import { merge } from 'lodash';
import type { Target } from './attack';
import { DevConfig, readFiles } from './config';
import { createControls } from './controls';
import { createDevBackend } from './createDevBackend';
import { showDecisions } from './decisions';
import { startEchoServer } from './echoServer';
import { Feed } from './Feed';
import { HANDLER_HEADER } from './openPlugins';
import { choosePort } from './ports';

const DEFAULT_PORT = 7007;

/** Starts the same backend twice, with the gate and without it. The one with the gate serves a page that shows the difference. */
async function main() {
  const files = await readFiles();
  const gate = targetAt(await choosePort('PORT', portOf(files)));
  const alone = targetAt(await choosePort('PORT_WITHOUT_GATE'));
  const shared = await sharedBy(gate.url);
  const configFor = (target: Target, overrides: JsonObject = {}) =>
    new DevConfig(
      files,
      merge({}, shared, { backend: addressOf(target) }, overrides),
    );

  const feed = new Feed();
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.once(signal, () => feed.close());
  }
  /** Creates a backend with the gate, whose decisions the page shows. */
  const withGate = (
    config: DevConfig,
    handlers: Parameters<typeof createDevBackend>[0]['handlers'] = [],
  ) => {
    const { feature, header } = showDecisions(decision => feed.add(decision));
    return createDevBackend({
      config,
      features: [import('../src'), feature],
      handlers: [header, ...handlers],
    });
  };

  let reportOnly: Promise<Target> | undefined;
  const config = configFor(gate);
  const controls = createControls({
    alone,
    gate,
    config,
    feed,
    startReportOnly() {
      reportOnly ??= startReportOnly().catch(error => {
        reportOnly = undefined;
        throw error;
      });
      return reportOnly;
    },
  });
  // A gate that has enforced never goes back to report-only before a restart, so this is another backend.
  async function startReportOnly(): Promise<Target> {
    const target = targetAt(await choosePort('PORT_REPORT_ONLY'));
    const mode = { auth: { apiGate: { mode: 'report-only' } } };
    await withGate(
      configFor(target, merge(quiet('report-only'), mode)),
    ).start();
    return target;
  }

  await Promise.all([
    withGate(config, [controls]).start(),
    createDevBackend({
      config: configFor(alone, quiet('without the gate')),
    }).start(),
  ]);
  printWelcome(gate, alone);
}

/** Returns the values that all backends have: the page calls them from the address of the one with the gate. */
async function sharedBy(pageUrl: string): Promise<JsonObject> {
  return {
    app: { baseUrl: pageUrl },
    backend: {
      cors: {
        origin: pageUrl,
        exposedHeaders: ['X-Api-Gate', HANDLER_HEADER, 'WWW-Authenticate'],
      },
    },
    proxy: { endpoints: { '/echo': { target: await startEchoServer() } } },
  };
}

function printWelcome(gate: Target, alone: Target): void {
  console.log(`
See it:  ${gate.url}/

  The gate is in front of everything below ${gate.url}/api:

  401:     curl -i ${gate.url}/api/catalog/entities
  Public:  curl -i ${gate.url}/api/hello/health
  200:     curl -i ${gate.url}/api/catalog/entities -H "Authorization: Bearer $(curl -s ${gate.url}/api/auth/guest/refresh | node -pe 'JSON.parse(fs.readFileSync(0)).backstageIdentity.token')"

  The same backend without the gate: ${alone.url}
  Other ports: PORT=7107 PORT_WITHOUT_GATE=7108 npm start
`);
}

function targetAt(port: number): Target {
  return { port, url: `http://localhost:${port}` };
}

/** Returns the port of `backend.listen`. */
function portOf(files: Config): number {
  const listen = files.getOptional<JsonObject | string>('backend.listen');
  const port = typeof listen === 'object' ? listen.port : listen;
  return Number(String(port).split(':').pop()) || DEFAULT_PORT;
}

/** Only this machine reaches the backends, since their controls are for whoever runs them. */
function addressOf({ port, url }: Target): JsonObject {
  return { baseUrl: url, listen: `127.0.0.1:${port}` };
}

/** Makes a backend log only what is wrong, under a name of its own. */
function quiet(name: string): JsonObject {
  return { backend: { logger: { level: 'warn', meta: { backend: name } } } };
}

main().catch(error => {
  // A wrong value in the configuration has a message of one line.
  console.error(error instanceof InputError ? error.message : error);
  process.exit(1);
});
