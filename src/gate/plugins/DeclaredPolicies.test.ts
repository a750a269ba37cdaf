import type {
  HttpRouterService,
  HttpRouterServiceAuthPolicy,
} from '@backstage/backend-plugin-api';
import { coversTechDocsPages, DeclaredPolicies } from './DeclaredPolicies';

/** Makes an `httpRouter`, and keeps what it is called with. */
function createRouter(options: { hasWebSockets?: boolean } = {}) {
  const calls: unknown[][] = [];
  const record =
    (name: string) =>
    (...args: unknown[]) => {
      calls.push([name, ...args]);
    };
  const router = {
    use: record('use'),
    addAuthPolicy: record('addAuthPolicy'),
    ...(options.hasWebSockets && {
      addWebSocketHandler: record('addWebSocketHandler'),
    }),
  } as unknown as HttpRouterService;
  return { calls, router };
}

function watch(
  policies: DeclaredPolicies,
  plugin: string,
  ...declared: HttpRouterServiceAuthPolicy[]
) {
  const watched = policies.watch(plugin, createRouter().router);
  declared.forEach(policy => watched.addAuthPolicy(policy));
  return watched;
}

const declaredBy = (policies: DeclaredPolicies) =>
  policies
    .all()
    .map(({ plugin, path, allow, isWebSocket }) => [
      plugin,
      path,
      allow,
      isWebSocket,
    ]);

const handler = { path: '/live', handler: () => {} };

describe('an httpRouter that is watched', () => {
  it('hands over what it is called with', () => {
    const policies = new DeclaredPolicies();
    const { calls, router } = createRouter({ hasWebSockets: true });
    const watched = policies.watch('hello', router);
    const policy = { path: '/a', allow: 'unauthenticated' } as const;
    const use = () => {};
    watched.use(use);
    watched.addAuthPolicy(policy);
    watched.addWebSocketHandler(handler);
    expect(calls).toEqual([
      ['use', use],
      ['addAuthPolicy', policy],
      ['addWebSocketHandler', handler],
    ]);
    expect(policies.isWatched(watched)).toBe(true);
    expect(policies.isWatched(router)).toBe(false);
  });

  it('has WebSocket handlers where the release has them', () => {
    const { router } = createRouter();
    expect(new DeclaredPolicies().watch('hello', router)).not.toHaveProperty(
      'addWebSocketHandler',
    );
  });

  it('records policies and open WebSocket handlers, by plugin', () => {
    const policies = new DeclaredPolicies();
    const { router } = createRouter({ hasWebSockets: true });
    const watched = policies.watch('Hello', router);
    watched.addAuthPolicy({ path: '/z', allow: 'unauthenticated' });
    watched.addAuthPolicy({ path: '/a', allow: 'user-cookie' });
    watched.addWebSocketHandler(handler);
    watched.addWebSocketHandler({
      ...handler,
      path: '/open',
      authPolicy: 'unauthenticated',
    });
    watch(policies, 'catalog', { path: '/b', allow: 'unauthenticated' });
    expect(declaredBy(policies)).toEqual([
      ['catalog', '/b', 'unauthenticated', false],
      ['hello', '/z', 'unauthenticated', false],
      ['hello', '/a', 'user-cookie', false],
      ['hello', '/open', 'unauthenticated', true],
    ]);
    expect(policies.isKnown('hello')).toBe(true);
    expect(policies.isKnown('search')).toBe(false);
  });

  it("opens the plugin's barrier for the gate, which is no policy of the plugin", () => {
    const policies = new DeclaredPolicies();
    const { calls, router } = createRouter();
    policies.openBarrier(policies.watch('hello', router), '/a');
    expect(calls).toEqual([
      ['addAuthPolicy', { path: '/a', allow: 'unauthenticated' }],
    ]);
    expect(policies.all()).toEqual([]);
    expect(policies.isPublic('hello', '/a', false)).toBe(false);
  });
});

describe('a path that a plugin has opened', () => {
  it.each([
    ['/a', '/a', true],
    ['/a', '/A/b', true],
    ['/a', '/ab', false],
    ['/a', '/', false],
    ['/a/:id', '/a/b/c', true],
    ['/a/:id', '/a', false],
    ['/', '/', true],
    ['/', '/a/b', true],
    ['*', '/a/b', true],
    // The barrier of the plugin has thrown an error for it.
    ['/a/(', '/a/(', false],
  ])('by %s: %s is public: %s', (declared, path, expected) => {
    const policies = new DeclaredPolicies();
    watch(policies, 'hello', { path: declared, allow: 'unauthenticated' });
    expect(policies.isPublic('hello', path, false)).toBe(expected);
    expect(policies.isPublic('hello', path, true)).toBe(false);
    expect(policies.isPublic('other', path, false)).toBe(false);
    expect(policies.acceptsUserCookie('hello', path)).toBe(false);
  });

  it('needs one of several policies', () => {
    const policies = new DeclaredPolicies();
    watch(
      policies,
      'hello',
      { path: '/cookie', allow: 'user-cookie' },
      { path: '/open', allow: 'unauthenticated' },
    );
    expect(policies.isPublic('hello', '/open', false)).toBe(true);
    expect(policies.isPublic('hello', '/cookie', false)).toBe(false);
    expect(policies.acceptsUserCookie('hello', '/cookie/a')).toBe(true);
    expect(policies.acceptsUserCookie('hello', '/open')).toBe(false);
    expect(policies.acceptsUserCookie('other', '/cookie')).toBe(false);
  });

  it('is exact for a WebSocket handler', () => {
    const policies = new DeclaredPolicies();
    const { router } = createRouter({ hasWebSockets: true });
    policies
      .watch('hello', router)
      .addWebSocketHandler({ ...handler, authPolicy: 'unauthenticated' });
    expect(policies.isPublic('hello', '/live', true)).toBe(true);
    expect(policies.isPublic('hello', '/live', false)).toBe(false);
    expect(policies.isPublic('hello', '/live/a', true)).toBe(false);
    expect(policies.isPublic('hello', '/', true)).toBe(false);
  });
});

describe('the pages of TechDocs', () => {
  it.each([
    ['/static', true],
    ['/static/docs/a', true],
    ['/statics', false],
    ['/', false],
    ['/metadata/static', false],
  ])('are at %s: %s', (path, expected) => {
    expect(coversTechDocsPages(path)).toBe(expected);
    const policies = new DeclaredPolicies();
    expect(policies.acceptsUserCookie('techdocs', path)).toBe(expected);
    expect(policies.acceptsUserCookie('other', path)).toBe(false);
  });

  it('are those that it declares where its policies are recorded', () => {
    const policies = new DeclaredPolicies();
    watch(policies, 'techdocs', { path: '/pages', allow: 'user-cookie' });
    expect(policies.acceptsUserCookie('techdocs', '/pages')).toBe(true);
    expect(policies.acceptsUserCookie('techdocs', '/static')).toBe(false);
  });
});
