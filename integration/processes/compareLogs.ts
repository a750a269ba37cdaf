// Runs one backend with the gate and one without, side by side, for 60 seconds each, and compares the warnings and errors in
// their logs: catalog processing, search indexing and all other calls between plugins must continue as before.
import path from 'node:path';
import { recordingPlugin } from '../../src/__tests__/__testUtils__/recordingPlugin';
import { startBackend } from '../../src/__tests__/__testUtils__/startBackend';

const EVERY_FEW_SECONDS = {
  frequency: { seconds: 10 },
  timeout: { seconds: 10 },
  initialDelay: { seconds: 3 },
};

const SECONDS = Number(process.argv[2] ?? 60);

async function run(withGate: boolean) {
  const hello = recordingPlugin('hello');
  const backend = await startBackend({
    withGate,
    features: [
      import('@backstage/plugin-catalog-backend'),
      import('@backstage/plugin-events-backend'),
      import('@backstage/plugin-permission-backend'),
      import('@backstage/plugin-permission-backend-module-allow-all-policy'),
      import('@backstage/plugin-proxy-backend'),
      import('@backstage/plugin-search-backend'),
      import('@backstage/plugin-search-backend-module-catalog'),
      import('@backstage/plugin-search-backend-module-techdocs'),
      import('@backstage/plugin-signals-backend'),
      import('@backstage/plugin-techdocs-backend'),
      hello.feature,
    ],
    config: {
      permission: { enabled: true },
      auth: {
        apiGate: {
          findings: {
            accept: [
              {
                id: 'anyone-may-sign-in',
                at: 'auth.providers.guest.dangerouslyAllowOutsideDevelopment',
                reason: 'This backend signs its guest in',
              },
            ],
          },
        },
      },
      catalog: {
        processingInterval: { seconds: 5 },
        locations: [
          {
            type: 'file',
            target: path.resolve(__dirname, '../../dev/entities.yaml'),
            rules: [{ allow: ['Component', 'User', 'Group'] }],
          },
        ],
      },
      search: {
        collators: {
          catalog: { schedule: EVERY_FEW_SECONDS },
          techdocs: { schedule: EVERY_FEW_SECONDS },
        },
      },
      techdocs: {
        builder: 'external',
        publisher: {
          type: 'local',
          local: {
            publishDirectory: path.resolve(__dirname, '../../dev/docs'),
          },
        },
      },
    },
  });
  await new Promise(resolve => setTimeout(resolve, SECONDS * 1000));

  // An empty log proves little without activity: the index must hold all entities of the catalog.
  const signedIn = await fetch(`${backend.url}/api/auth/guest/refresh`);
  const { backstageIdentity } = await signedIn.json();
  const found = await fetch(`${backend.url}/api/search/query?term=example`, {
    headers: { Authorization: `Bearer ${backstageIdentity.token}` },
  });
  const { results } = await found.json();
  await backend.stop();
  return {
    found: results.length as number,
    lines: new Set(
      backend.log
        .filter(({ level }) => level === 'warn' || level === 'error')
        .map(({ level, message }) => `${level}: ${normalize(message)}`),
    ),
  };
}

/** Removes the text that differs between runs: ports, ids and durations. */
function normalize(message: string): string {
  return message
    .replace(/localhost:\d+/g, 'localhost')
    .replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, '<id>')
    .replace(/\d+(\.\d+)?/g, '<n>');
}

async function main() {
  const [stock, gated] = await Promise.all([run(false), run(true)]);
  const onlyStock = [...stock.lines].filter(line => !gated.lines.has(line));
  const onlyGated = [...gated.lines].filter(line => !stock.lines.has(line));
  console.log(
    `${SECONDS} s: ${stock.lines.size} distinct warnings and errors without the gate, ${gated.lines.size} with it; search found ${stock.found} and ${gated.found}`,
  );
  for (const line of [...stock.lines]) {
    console.log(`  both or stock: ${line}`);
  }
  for (const line of onlyGated) {
    console.log(`  only with the gate: ${line}`);
  }
  for (const line of onlyStock) {
    console.log(`  only without the gate: ${line}`);
  }
  const same = onlyStock.length === 0 && onlyGated.length === 0;
  process.exit(same && gated.found > 0 && gated.found === stock.found ? 0 : 1);
}

main().catch(error => {
  console.error(error);
  process.exit(1);
});
