// Makes a copy of backend-defaults that has the seams 1 and 2 of docs/upstream.md. The tests in this folder find the copy before the
// package of the main install.

const { cpSync, readFileSync, rmSync, writeFileSync } = require('node:fs');
const path = require('node:path');

const NAME = '@backstage/backend-defaults';
const root = path.join(__dirname, '../../..');
const original = path.join(root, 'node_modules', NAME);
const copy = path.join(__dirname, 'node_modules', NAME);

/** The file that the second seam adds. */
const DECIDER = 'entrypoints/httpRouter/authPolicyDecider.cjs.js';

/** Each change replaces the text `from`, or everything from there up to `to`. They quote as little of Backstage's code as they can. */
const CHANGES = [
  // 1. The body of the factory becomes `DefaultAuthService.create`.
  {
    file: 'entrypoints/auth/authServiceFactory.cjs.js',
    from: '  async factory({',
    by: `  factory: ({ plugin, ...options }) =>
    DefaultAuthService.DefaultAuthService.create({ ...options, pluginId: plugin.getId() }),
});
DefaultAuthService.DefaultAuthService.create = ({ pluginId, ...options }) =>
  createAuthService({
    pluginTokenHandlerDecorator: handler => handler,
    externalTokenHandlers: [],
    ...options,
    plugin: { getId: () => pluginId },
  });
async function createAuthService({`,
  },
  {
    file: 'entrypoints/auth/authServiceFactory.cjs.js',
    from: '\n  }\n});\n\nexports.authServiceFactory',
    by: '\n  }\n\nexports.authServiceFactory',
  },
  {
    file: 'auth.cjs.js',
    from: '//# sourceMappingURL',
    by: `exports.DefaultAuthService = require('./entrypoints/auth/DefaultAuthService.cjs.js').DefaultAuthService;
//# sourceMappingURL`,
  },
  // 2. The credentials barrier and the WebSocket router ask what holds.
  {
    file: 'entrypoints/httpRouter/http/createCredentialsBarrier.cjs.js',
    from: '  if (disableDefaultAuthPolicy) {',
    to: '  const unauthenticatedPredicates',
    by: `  const { authPolicyDecider: decider, pluginId } = options;
`,
  },
  {
    file: 'entrypoints/httpRouter/http/createCredentialsBarrier.cjs.js',
    from: '  const middleware = (',
    to: '  const addAuthPolicy = (policy) => {',
    by: `  const declaredFor = path => {
    const covers = predicate => predicate(path);
    if (disableDefaultAuthPolicy || unauthenticatedPredicates.some(covers)) {
      return 'unauthenticated';
    }
    return cookiePredicates.some(covers) ? 'user-cookie' : 'authenticated';
  };
  const middleware = (req, _res, next) => {
    const declared = declaredFor(req.path);
    let policy = declared;
    try {
      policy = decider ? decider.decide({ pluginId, request: req, declared }) : declared;
    } catch (error) {
      next(error);
      return;
    }
    if (policy === 'unauthenticated') {
      next();
      return;
    }
    httpAuth
      .credentials(req, {
        allow: ['user', 'service'],
        allowLimitedAccess: policy === 'user-cookie',
      })
      .then(() => next(), next);
  };
`,
  },
  {
    file: 'entrypoints/httpRouter/http/createCredentialsBarrier.cjs.js',
    from: '  const addAuthPolicy = (policy) => {',
    by: `  const addAuthPolicy = (policy) => {
    decider?.declared?.({ pluginId, ...policy, isWebSocket: false });
    if (disableDefaultAuthPolicy) {
      return;
    }`,
  },
  {
    file: 'entrypoints/httpRouter/http/createWebSocketRouter.cjs.js',
    from: '    const gate = lifecycleGate',
    by: `    const decider = options.authPolicyDecider;
    const declared = authPolicy ?? 'authenticated';
    if (authPolicy) {
      decider?.declared?.({ pluginId, path, allow: authPolicy, isWebSocket: true });
    }
    const gate = lifecycleGate`,
  },
  {
    file: 'entrypoints/httpRouter/http/createWebSocketRouter.cjs.js',
    from: 'authPolicy: authPolicy ?? "authenticated"',
    by: 'authPolicy: decider ? decider.decide({ pluginId, request, declared }) : declared',
  },
  {
    file: 'entrypoints/httpRouter/httpRouterServiceFactory.cjs.js',
    from: '  deps: {',
    by: `  deps: {
    authPolicyDecider: require('./authPolicyDecider.cjs.js').authPolicyDeciderServiceRef,`,
  },
  {
    file: 'entrypoints/httpRouter/httpRouterServiceFactory.cjs.js',
    from: '  async factory({',
    by: '  async factory({\n    authPolicyDecider,',
  },
  {
    file: 'entrypoints/httpRouter/httpRouterServiceFactory.cjs.js',
    from: 'createCredentialsBarrier.createCredentialsBarrier({',
    by: `createCredentialsBarrier.createCredentialsBarrier({
      authPolicyDecider,
      pluginId: plugin.getId(),`,
  },
  {
    file: 'entrypoints/httpRouter/httpRouterServiceFactory.cjs.js',
    from: 'createWebSocketRouter.createWebSocketRouter({',
    by: `createWebSocketRouter.createWebSocketRouter({
        authPolicyDecider,`,
  },
  {
    file: 'httpRouter.cjs.js',
    from: '//# sourceMappingURL',
    by: `exports.authPolicyDeciderServiceRef = require('./${DECIDER}').authPolicyDeciderServiceRef;
//# sourceMappingURL`,
  },
];

const NEW_FILE = `const { createServiceFactory, createServiceRef } = require('@backstage/backend-plugin-api');

exports.authPolicyDeciderServiceRef = createServiceRef({
  id: 'core.httpRouter.authPolicyDecider',
  scope: 'root',
  defaultFactory: async service =>
    createServiceFactory({
      service,
      deps: {},
      factory: () => ({ decide: ({ declared }) => declared }),
    }),
});
`;

rmSync(copy, { recursive: true, force: true });
cpSync(original, copy, { recursive: true, dereference: true });
for (const { file, from, to = from, by } of CHANGES) {
  const target = path.join(copy, 'dist', file);
  const text = readFileSync(target, 'utf8');
  const [before, rest, ...others] = text.split(from);
  const end = to === from ? 0 : rest?.indexOf(to);
  if (rest === undefined || others.length > 0 || end === -1) {
    throw new Error(
      `${file} of this release of backend-defaults does not have the following once: ${from.trim()}`,
    );
  }
  writeFileSync(target, before + by + rest.slice(end));
}
writeFileSync(path.join(copy, 'dist', DECIDER), NEW_FILE);
