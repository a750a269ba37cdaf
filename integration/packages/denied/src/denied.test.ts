import path from 'node:path';
import gitlabPlugin from '@immobiliarelabs/backstage-plugin-gitlab-backend';
import argoCdPlugin from '@roadiehq/backstage-plugin-argo-cd-backend';
import type { JsonObject } from '@backstage/types';
import { parse, stringify } from 'yaml';
import { blocksAfter } from '../../../../src/__tests__/__testUtils__/documents';
import { recordDeclared } from '../../../../src/__tests__/__testUtils__/expectScanned';
import {
  bearer,
  cookie,
} from '../../../../src/__tests__/__testUtils__/requestParts';
import {
  folderWith,
  runCli,
  writeInto,
} from '../../../../src/__tests__/__testUtils__/runCli';
import { signedBackends } from '../../../../src/__tests__/__testUtils__/signedBackends';

const SRE = 'group:default/sre';
const GITLAB = 'gitlab.example.com';

/** The rule of the page, with an end that tests do not reach. */
const [ofPage] = blocksAfter('docs/deny-rules.md', 'Deny rules');
const [argoRule]: JsonObject[] = parse(ofPage).auth.apiGate.deny;
const DENY: JsonObject[] = [
  { ...argoRule, until: '2999-01-31' },
  {
    plugin: 'gitlab',
    path: '/rest/**',
    methods: ['GET'],
    except: ['user:default/olivia'],
  },
];

const APPLICATION = '/api/argocd/argoInstance/prod/applications/web';
const PROJECT = `/api/gitlab/rest/${GITLAB}/projects/1`;

const backends = signedBackends();
afterEach(backends.stopAll);

/** Starts a backend with both plugins, before a server that answers in the place of Argo CD and of GitLab. */
async function start(deny: JsonObject[] = []) {
  const arrived: string[] = [];
  const upstream = await backends.serve((req, res) => {
    const { authorization, 'private-token': privateToken } = req.headers;
    const token = privateToken ?? authorization;
    arrived.push(`${req.method} ${req.url} with ${token}`);
    res.setHeader('Content-Type', 'application/json');
    res.end('{}');
  });
  const url = `http://localhost:${upstream}`;
  const instance = { name: 'prod', url, token: 'token-of-argo' };
  const config = {
    argocd: { appLocatorMethods: [{ type: 'config', instances: [instance] }] },
    integrations: {
      gitlab: [
        { host: GITLAB, apiBaseUrl: `${url}/api/v4`, token: 'token-of-gitlab' },
      ],
    },
  };
  const olivia = 'user:default/olivia';
  const operators = { operators: [olivia] };
  const backend = await backends.start({
    features: [argoCdPlugin, gitlabPlugin],
    config,
    apiGate: { ...operators, deny },
  });
  return {
    ...backend,
    deny: (rules: JsonObject[]) =>
      backend.change({ config, apiGate: { ...operators, deny: rules } }),
    jane: await backend.sign({ sub: 'user:default/jane' }),
    /** Has no group. */
    olivia: await backend.sign({ sub: olivia }),
    /** A member of the group of the page. */
    sue: await backend.sign({ sub: 'user:default/sue', ent: [SRE] }),
    /** Sends a request; returns its status, and what has arrived at the upstream server. */
    async send(request: string, ...lines: string[]) {
      const [method, target] = request.split(' ');
      arrived.length = 0;
      const { status } = await backend.request(method, target, lines);
      return [status, ...arrived];
    },
  };
}

/** Returns the text of a page, with one space between its parts. */
const textOf = (html: string) => html.replace(/<[^>]*>|\s+/g, ' ');

type Caller = 'jane' | 'olivia' | 'sue';

describe('[P115] a deny rule for a published plugin', () => {
  it.each<[request: string, excepted: Caller, ...arrived: string[]]>([
    [
      `DELETE ${APPLICATION}`,
      'sue',
      'DELETE /api/v1/applications/web?cascade=true with Bearer token-of-argo',
      'GET /api/v1/applications/web with Bearer token-of-argo',
    ],
    [
      `DELETE ${APPLICATION}/operation`,
      'sue',
      'DELETE /api/v1/applications/web/operation with Bearer token-of-argo',
    ],
    [`GET ${PROJECT}`, 'olivia', 'GET /api/v4/projects/1 with token-of-gitlab'],
    [
      `GET ${PROJECT}/variables?page=2`,
      'olivia',
      'GET /api/v4/projects/1/variables?page=2 with token-of-gitlab',
    ],
  ])('refuses %s, but not for %s', async (request, excepted, ...arrived) => {
    const backend = await start();
    const { deny, jane, send } = backend;
    const others = (['olivia', 'sue'] as const)
      .filter(each => each !== excepted)
      .map(each => backend[each]);
    const served = [200, ...arrived];
    expect(await send(request, bearer(jane))).toEqual(served);
    expect(await send(request)).toEqual([401]);

    deny(DENY);
    for (const token of [jane, ...others]) {
      expect(await send(request, bearer(token))).toEqual([403]);
    }
    expect(await send(request, cookie(jane))).toEqual([403]);
    expect(await send(request)).toEqual([401]);
    expect(await send(request, bearer(backend[excepted]))).toEqual(served);

    deny([]);
    expect(await send(request, bearer(jane))).toEqual(served);
  });

  it.each([
    `DELETE ${APPLICATION}/`,
    `DELETE ${APPLICATION.replace('argoI', 'ARGOI')}`,
    `DELETE ${APPLICATION.replace('web', '%77eb')}`,
    `GET ${PROJECT.replace('rest', 'REST')}`,
    `GET ${PROJECT.replace('/projects', '//projects')}`,
    `GET ${PROJECT}/x/../2`,
    `GET http://any${PROJECT}`,
    `GET ${PROJECT}#`,
  ])('refuses %s, which the plugin serves', async request => {
    const { deny, jane, send } = await start();
    expect(await send(request, bearer(jane))).toEqual([
      200,
      expect.any(String),
      ...(request.startsWith('DELETE') ? [expect.any(String)] : []),
    ]);
    deny(DENY);
    expect(await send(request, bearer(jane))).toEqual([403]);
  });

  it('leaves other methods and paths of the plugin as they are', async () => {
    const { jane, send } = await start(DENY);
    expect(await send(`GET ${APPLICATION}`, bearer(jane))).toEqual([
      200,
      'GET /api/v1/applications/web with Bearer token-of-argo',
    ]);
    const graphql = `POST /api/gitlab/graphql/${GITLAB}`;
    expect(await send(graphql, bearer(jane))).toEqual([
      200,
      'POST /api/graphql with token-of-gitlab',
    ]);
  });
});

it('[P120] a scan names what both plugins declare, which is nothing', async () => {
  const expectScanned = recordDeclared();
  await start();
  const declared = await expectScanned(
    '@backstage/plugin-auth-backend',
    '@immobiliarelabs/backstage-plugin-gitlab-backend',
    '@roadiehq/backstage-plugin-argo-cd-backend',
  );
  expect(declared.map(({ plugin }) => plugin)).toEqual(['auth']);
});

it('[P115] an operator finds the routes, denies them, sees whom that refuses, and a pull request that gives it up fails', async () => {
  const cwd = folderWith({ 'app/.git': '', 'base/.git': '' });
  const [app, base] = ['app', 'base'].map(name => path.join(cwd, name));
  const write = (folder: string, deny: JsonObject[]) =>
    writeInto(folder, {
      'app-config.yaml': stringify({
        backend: { baseUrl: 'https://backstage.example.com' },
        auth: { apiGate: { deny } },
      }),
    });
  const api = (folder: string, ...args: string[]) =>
    runCli(args, { cwd: folder });

  // The plugins check nobody, and these are their routes.
  const here = path.resolve(__dirname, '..');
  const { stdout: scan } = await api(here, 'scan');
  expect(scan).toMatch(/^argocd +4\.8\.0 +5 of 13 routes change .* no check/m);
  expect(scan).toMatch(/^catalog,gitlab +7\.0\.1 +2 of 2 routes .* no check/m);
  const { stdout: json } = await api(here, 'scan', '--json');
  expect(json).toMatch(
    /"DELETE",\s+"path": "\/argoInstance\/:argoInstanceName\/applications\/:argoAppName"/,
  );

  // A rule closes them, and the page says why a user is refused.
  const { deny, get, jane, olivia, send, sue } = await start();
  const request = `DELETE ${APPLICATION}`;
  deny(DENY);
  expect(await send(request, bearer(jane))).toEqual([403]);
  const page = '/api/auth/api-gate/';
  const { body } = await get(page, bearer(olivia));
  const rule = 'POST,DELETE /api/argocd/**';
  expect(textOf(body)).toContain(`${rule} to users, tokens`);
  expect(textOf(body)).toMatch(/denied .*user:default\/jane/);

  // So does the command.
  write(app, DENY);
  const explained = await api(app, 'explain', request);
  expect(explained.stdout).toContain(
    `Refused with 403 (denied): auth.apiGate.deny[0]  ${rule} to users, tokens  (except ${SRE})`,
  );

  // A pull request may not take the rule away, or widen its exceptions.
  const diff = async (changed: JsonObject[]) => {
    write(base, DENY);
    write(app, changed);
    const args = ['--against', base, '--fail-on', 'new-public'];
    const { code, stdout } = await api(app, 'diff', ...args);
    return [code, ...stdout.split('\n').filter(Boolean)];
  };
  const [ofArgo, ofGitlab] = DENY;
  const lost = `+ no longer denies  ${rule} to users, tokens  (except ${SRE})  (no permission check before 4.9)  (until 2999-01-31T00:00:00.000Z)  auth.apiGate.deny`;
  expect(await diff([ofGitlab])).toEqual([1, lost]);
  const wider = { ...ofArgo, except: [SRE, 'group:default/everybody'] };
  expect(await diff([wider, ofGitlab])).toEqual([1, lost]);
  expect(await diff([...DENY].reverse())).toEqual([
    0,
    'No difference in what anybody may do',
  ]);

  // The group goes on working.
  const [status, ...arrived] = await send(request, bearer(sue));
  expect([status, arrived.length]).toEqual([200, 2]);
});
