import { createHmac } from 'node:crypto';
import { Answer, send, until } from '../../http';

export const WEBHOOK_SECRET = 'the-webhook-secret-of-a-test';

export const BADGE_PATH =
  '/entity/default/component/example-website/badge/pingback';

/** The page in TechDocs of an entity that `create-app` brings. */
const PAGE =
  '/api/techdocs/static/docs/default/component/example-website/index.html';

const EVENT = JSON.stringify({ zen: 'Keep it logically awesome.' });

/** Requests of scanners that something open answers. */
export const FINDS = [
  'GET /api/catalog/export',
  'GET /api/proxy/open/admin',
  'DELETE /api/proxy/open/admin',
];

/** All requests of scanners. */
const SCANS = [
  'GET /api/.env',
  'GET /api/wp-login.php',
  'GET /api/nosuchplugin/admin',
  'GET /api/badges/.git/config',
  "GET /api/badges/'%20}%0A-%20{x",
  'GET /api/badges/**',
  'GET /api/catalog/entities',
  'POST /api/catalog/locations',
  'GET /api/scaffolder/v2/tasks',
  'POST /api/scaffolder/v2/tasks',
  'GET /api/kubernetes/clusters',
  `GET ${PAGE}`,
  'POST /api/mcp-actions/v1',
  'POST /api/events/http/nosuchtopic',
  'GET /api/events/http/github',
  ...FINDS,
];

/** The answers to the requests of a day: statuses by a name of each request, and two bodies. */
export interface Day {
  /** Of those who belong here. */
  meant: Record<string, number>;
  /** Of scanners. */
  scans: Record<string, number>;
  badge: string;
  page: string;
}

const statusesOf = (answers: Record<string, Answer>) =>
  Object.fromEntries(
    Object.entries(answers).map(([name, { status }]) => [name, status]),
  );

/** Sends the requests of a day, as GitHub, a README, a user, and a scanner do. */
export async function sendDay(port: number): Promise<Day> {
  const signedIn = await send(port, { path: '/api/auth/guest/refresh' });
  const bearer: string = JSON.parse(signedIn.body).backstageIdentity.token;
  // The catalog reads the app's examples some time after the start.
  const entity =
    '/api/catalog/entities/by-name/component/default/example-website';
  await until('the catalog has the entity', 60_000, async () => {
    const { status } = await send(port, { path: entity, bearer });
    return status === 200;
  });
  const entities = await send(port, { path: '/api/catalog/entities', bearer });
  // Where the gate has issued its cookie, the browser sends it for the page, as for images.
  const cookie = entities.setCookies.map(each => each.split(';')[0]).join('; ');
  const badge = await send(port, { path: `/api/badges${BADGE_PATH}` });
  const page = await send(port, { path: PAGE, bearer });
  const meant: Record<string, Answer> = {
    webhook: await deliver(port, WEBHOOK_SECRET),
    'forged webhook': await deliver(port, 'a guess'),
    'unsigned webhook': await deliver(port),
    badge,
    'page, with a token': page,
    'page, with the cookie': await send(port, { path: PAGE, cookie }),
    'catalog, with a token': entities,
  };
  const scans: Record<string, Answer> = {};
  for (const request of SCANS) {
    const [method, path] = request.split(' ');
    scans[request] = await send(port, { method, path });
  }
  return {
    meant: statusesOf(meant),
    scans: statusesOf(scans),
    badge: badge.body,
    page: page.body,
  };
}

/** Delivers an event as GitHub does. */
function deliver(port: number, secret?: string): Promise<Answer> {
  const signature =
    secret &&
    `sha256=${createHmac('sha256', secret).update(EVENT).digest('hex')}`;
  return send(port, {
    method: 'POST',
    path: '/api/events/http/github',
    headers: {
      'Content-Type': 'application/json',
      'User-Agent': 'GitHub-Hookshot/044aadd',
      'X-GitHub-Event': 'ping',
      'X-GitHub-Delivery': '72d3162e-cc78-11e3-81ab-4c9367dc0958',
      ...(signature && { 'X-Hub-Signature-256': signature }),
    },
    body: EVENT,
  });
}
