import type { HttpRouterServiceAuthPolicy } from '@backstage/backend-plugin-api';
import {
  accessWith,
  staticToken,
} from '../../../../src/__tests__/__testUtils__/externalAccess';
import { recordingPlugin } from '../../../../src/__tests__/__testUtils__/recordingPlugin';
import {
  bearer,
  COOKIE_ENDPOINT,
  forge,
  KEYS,
} from '../../../../src/__tests__/__testUtils__/requestParts';
import {
  SignedBackendOptions,
  signedBackends,
} from '../../../../src/__tests__/__testUtils__/signedBackends';
import { webSocketPlugin } from '../../../../src/__tests__/__testUtils__/webSocketPlugin';

/** The value of `auth.apiGate.allow`. */
export const RULES = [
  { plugin: 'hello', path: '/public' },
  { plugin: 'hello', path: '/tree/**', methods: ['GET', 'DELETE'] },
  { plugin: 'hello', path: '/item/*/badge' },
  { plugin: 'hello', path: '/hook', methods: ['POST'] },
  { plugin: 'hello', path: '/ended', until: '2020-01-01' },
  { plugin: 'sockets', path: '/ruled', methods: ['WEBSOCKET'] },
];

export const METHODS = ['GET', 'HEAD', 'POST', 'DELETE'];

const PATHS = [
  ...['', '/', '?public', '/public', '/public?x', '/public/', '/public/below'],
  ...['/PUBLIC', '//public', '/publicity', '/x/../public', '/./public'],
  ...['/%70ublic', '/public%2fx', '/public;x', '/public#x', '/ended'],
  ...['/tree', '/tree/', '/tree/a', '/tree/a/b', '/tree//b', '/tree/../x'],
  ...['/item/1/badge', '/item/badge', '/item/1/2/badge', '/item/1/badge/x'],
  ...['/hook', '/hook/x', '/open', '/open/x', '/OPEN', '/static/a', '/x'],
];

/** Requests for installed plugins, of which each rule opens a few. No sign-out is among them, which would end the session of the user. */
export const REQUESTS = [
  ...METHODS.flatMap(method =>
    PATHS.map(path => `${method} /api/hello${path}`),
  ),
  ...PATHS.map(path => `GET /api/HELLO${path}`),
  ...[KEYS, COOKIE_ENDPOINT].map(path => `GET /api/hello${path}`),
  ...['/closed', '/open', '/ruled'].map(
    path => `WEBSOCKET /api/sockets${path}`,
  ),
];

export const SIGN_OUT = `DELETE /api/hello${COOKIE_ENDPOINT}`;

const tokenOf = (subject: string) => `${subject}-token-of-this-test`;

export const ACCESS = accessWith(
  staticToken(tokenOf('free'), 'free'),
  staticToken(tokenOf('of-absent'), 'of-absent', 'absent'),
  staticToken(tokenOf('of-hello'), 'of-hello', 'hello'),
);

export const backends = signedBackends();

export type SceneOptions = SignedBackendOptions & {
  /** What the plugin `hello` declares besides. */
  policies?: HttpRouterServiceAuthPolicy[];
};

/** Starts a backend with plugins that say whose request they have got. */
async function startScene({ policies = [], ...options }: SceneOptions) {
  const hello = recordingPlugin('hello', {
    policies: [
      { path: '/open', allow: 'unauthenticated' },
      { path: '/static/:name', allow: 'user-cookie' },
      ...policies,
    ],
    handle: async (req, res, { httpAuth }) => {
      const principal = await httpAuth
        .credentials(req, { allowLimitedAccess: true })
        .then(
          credentials => credentials.principal,
          error => error.name,
        );
      res.json({ handledFor: principal });
    },
  });
  const caller = recordingPlugin('caller');
  const sockets = webSocketPlugin('sockets', {
    '/closed': undefined,
    '/open': 'unauthenticated',
    '/ruled': undefined,
  });
  const backend = await backends.start({
    config: ACCESS,
    ...options,
    features: [
      hello.feature,
      caller.feature,
      sockets.feature,
      ...(options.features ?? []),
    ],
  });
  return { ...backend, caller, hello, sockets };
}

type Scene = Awaited<ReturnType<typeof startScene>>;

/** Returns a header line with a credential of each kind. */
async function credentialsAt({ caller, sign, stockCookie }: Scene) {
  const user = await sign();
  const onBehalfOfUser = await caller.auth.getPluginRequestToken({
    onBehalfOf: await caller.auth.authenticate(user),
    targetPluginId: 'hello',
  });
  return {
    nobody: undefined,
    'a user': bearer(user),
    'a user, forged': bearer(forge(user)),
    'a user, ended': bearer(await sign({ iat: 1, exp: 2 })),
    'a cookie of Backstage': `Cookie: ${await stockCookie('hello', bearer(user))}`,
    'a plugin': bearer(await caller.tokenFor('hello')),
    'a plugin, forged': bearer(forge(await caller.tokenFor('hello'))),
    'a plugin for a user': bearer(onBehalfOfUser.token),
    'a plugin at sockets': bearer(await caller.tokenFor('sockets')),
    'a plugin at absent': bearer(await caller.tokenFor('absent')),
    'an external token': bearer(tokenOf('free')),
    'an external token, unknown': bearer(tokenOf('unknown')),
    'an external token for hello': bearer(tokenOf('of-hello')),
    'an external token for absent': bearer(tokenOf('of-absent')),
  };
}

export type Kind = keyof Awaited<ReturnType<typeof credentialsAt>>;

/** By request and credential: the status, and whose request a handler has got. */
export type Outcomes = Record<string, string>;

/** Starts a backend, and returns the outcome of each request by each kind of credential. */
export async function outcomesOf(
  options: SceneOptions,
  requests: string[],
  isUsed: (kind: Kind) => boolean = () => true,
): Promise<Outcomes> {
  const scene = await startScene(options);
  const credentials = Object.entries(await credentialsAt(scene));
  const outcomes: Outcomes = {};
  for (const [kind, header] of credentials) {
    for (const request of isUsed(kind as Kind) ? requests : []) {
      const lines = header ? [header] : [];
      outcomes[`${request} by ${kind}`] = await send(scene, request, lines);
    }
  }
  await scene.stop();
  return outcomes;
}

async function send(
  { hello, request, sockets, upgradeOnce }: Scene,
  requestLine: string,
  headerLines: string[],
): Promise<string> {
  const [method, target] = requestLine.split(' ');
  if (method === 'WEBSOCKET') {
    const { status } = await upgradeOnce(target, ...headerLines);
    const [handled] = sockets.handled.splice(0);
    return `${status} ${JSON.stringify(handled?.credentials.principal)}`;
  }
  const { body, status } = await request(method, target, headerLines);
  const isHandled = hello.handled.splice(0).length > 0;
  return `${status} ${isHandled ? body || 'handled' : ''}`;
}

/** Returns the requests that were answered by a status. */
export const withStatus = (outcomes: Outcomes, status: number): string[] =>
  Object.keys(outcomes).filter(key => outcomes[key].startsWith(`${status} `));
