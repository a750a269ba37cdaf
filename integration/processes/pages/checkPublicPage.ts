import { writeFileSync } from 'node:fs';
import path from 'node:path';
import permissionPlugin from '@backstage/plugin-permission-backend';
import allowAllPolicy from '@backstage/plugin-permission-backend-module-allow-all-policy';
import { parse } from 'yaml';
import { blocksAfter } from '../../../src/__tests__/__testUtils__/documents';
import { freePort } from '../../../src/__tests__/__testUtils__/freePort';
import { rawUpgrade } from '../../../src/__tests__/__testUtils__/rawUpgrade';
import { startBackend } from '../../../src/__tests__/__testUtils__/startBackend';
import { stock } from '../../../src/__tests__/__testUtils__/stockBackend';
import { send, until } from '../../http';
import { expectEqual } from '../../Report';
import type { Run } from '../../runChecks';
import { runNginx } from '../../runNginx';
import { PAGE } from './proxied';

const HEADING = 'A public page that reads';
const PUBLIC = '/api/catalog/entities/by-query';
const TOKEN = 'the-token-of-public-reader';

const ENTITY = {
  apiVersion: 'backstage.io/v1alpha1',
  kind: 'Component',
  metadata: { name: 'example' },
  spec: { type: 'service', lifecycle: 'production', owner: 'x' },
};

/** Starts the stock catalog with permissions, behind nginx with the blocks of the page. */
async function start(run: Run, mode: string) {
  const port = await freePort();
  const folder = path.join(run.folder, `public-page-${mode}`);
  const [documented] = blocksAfter(PAGE, HEADING, 'yaml');
  const { backend: settings } = parse(
    documented.replace('${PUBLIC_READER}', TOKEN),
  );
  const file = path.join(run.folder, 'entities.yaml');
  writeFileSync(file, JSON.stringify(ENTITY));
  const backend = await startBackend({
    features: [...stock.catalog!, permissionPlugin, allowAllPolicy],
    config: {
      backend: settings,
      auth: { apiGate: { mode, credentialHeader: 'X-Backstage-Token' } },
      permission: { enabled: true },
      catalog: { locations: [{ type: 'file', target: file }] },
    },
  });
  const [location] = blocksAfter(PAGE, HEADING, 'nginx');
  const kill = await runNginx(
    folder,
    `server {
      listen 127.0.0.1:${port};
      ${location.replace('http://backstage:7007', `http://127.0.0.1:${backend.port}`)}
      location / { proxy_pass http://127.0.0.1:${backend.port}; }
    }`,
    port,
  );
  run.atExit.push(kill);
  return { backend, port };
}

async function checkMode(run: Run, mode: string) {
  const { backend, port } = await start(run, mode);
  const read = async (
    headers: Record<string, string> = {},
    options: { method?: string; path?: string } = {},
  ) => {
    const answer = await send(port, {
      path: `${PUBLIC}?filter=kind=component`,
      headers,
      ...options,
    });
    const names = answer.body.match(/"name":"example"/g) ?? [];
    return `${answer.status} ${names.length > 0 ? 'with' : 'without'} the entity`;
  };
  const SHOWN = '200 with the entity';
  await until('the catalog has its entity', 20_000, async () =>
    (await read()).startsWith(SHOWN),
  );
  const guest = await send(port, { path: '/api/auth/guest/refresh' });
  const { token } = JSON.parse(guest.body).backstageIdentity;

  await run.report.check(
    `nginx adds the token of public-reader at one path for GET alone, whatever the client sends (${mode})`,
    async () => {
      const sent: Record<string, string>[] = [
        {},
        { Authorization: `Bearer ${token}` },
        { Authorization: 'Bearer x' },
        { Authorization: 'Basic x' },
        { Cookie: `token=${token}` },
        { Cookie: 'token=x; backstage-auth=y' },
        { 'X-Backstage-Token': token },
        { 'X-Backstage-Token': 'x' },
      ];
      for (const headers of sent) {
        const name = Object.entries(headers).join(': ').slice(0, 30);
        expectEqual(`GET with ${name}`, await read(headers), SHOWN);
        const posted = await read(headers, { method: 'POST' });
        expectEqual(`POST with ${name}`, posted, '403 without the entity');
      }
      // nginx sends on the path of the block, whatever spelling has led to it.
      const odd = { path: '/api/catalog/locations/%2e%2e/entities/by-query' };
      expectEqual('an odd path', await read({}, odd), SHOWN);
      const upgrade = await rawUpgrade(port, PUBLIC, [
        `Sec-WebSocket-Protocol: ${token}`,
      ]);
      upgrade.destroy();
      expectEqual('an upgrade', upgrade.status, 200);
      return 'the same page for each client, 403 for POST';
    },
  );

  await run.report.check(
    `other paths get no token, and the token may read entities alone (${mode})`,
    async () => {
      const other = await read({}, { path: '/api/catalog/locations' });
      expectEqual('another path', other, '401 without the entity');
      const withToken = async (target: string, body?: string) => {
        const answer = await fetch(`${backend.url}${target}`, {
          method: body === undefined ? 'GET' : 'POST',
          headers: {
            Authorization: `Bearer ${TOKEN}`,
            'Content-Type': 'application/json',
          },
          body,
        });
        return answer.status;
      };
      const entityRef = '{"entityRef":"component:default/example"}';
      const refresh = await withToken('/api/catalog/refresh', entityRef);
      expectEqual('a refresh', refresh, 403);
      const permission = await withToken('/api/permission/authorize', '{}');
      expectEqual('another plugin', permission, 403);
      return '401 without it, 403 for what it may not do';
    },
  );
}

/** Lets nginx add a token at one path, as docs/recipes/reverse-proxies.md has it, in front of the stock catalog. */
export async function checkPublicPage(run: Run): Promise<void> {
  for (const mode of ['enforce', 'report-only']) {
    await checkMode(run, mode);
  }
}
