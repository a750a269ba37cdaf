import {
  assertRelease,
  LoadModule,
  NEEDED_FIELDS,
  NEEDED_FOR_WEBSOCKETS,
  readBackstageVersion,
} from './releaseFeatures';

/** Loads Backstage with a value at the end of a path of one of its modules. */
function loadWith(module: string, path: string, value: unknown): LoadModule {
  const withValue = (parent: any, [first, ...rest]: string[]): any =>
    Object.create(parent, {
      [first]: { value: rest.length ? withValue(parent[first], rest) : value },
    });
  return name =>
    name === module ? withValue(require(name), path.split('.')) : require(name);
}

/** Loads Backstage without one of its modules. */
const loadWithout =
  (module: string, code = 'MODULE_NOT_FOUND'): LoadModule =>
  name => {
    if (name.startsWith(module)) {
      throw Object.assign(new Error(), { code });
    }
    return require(name);
  };

const AUTH = '@backstage/backend-defaults/auth';
const HTTP_ROUTER = '@backstage/backend-defaults/httpRouter';

// WebSocket handlers exist since backend-defaults 0.19.
const hasWebSocketHandlers = 'createWebSocketRouter' in require(HTTP_ROUTER);

describe('assertRelease', () => {
  it('starts on the release that is installed', () => {
    expect(() => assertRelease(require)).not.toThrow();
  });

  it.each(
    [NEEDED_FIELDS, hasWebSocketHandlers ? NEEDED_FOR_WEBSOCKETS : {}].flatMap(
      fields =>
        Object.entries(fields).flatMap(([module, paths]) =>
          Object.keys(paths).map(path => ({ module, path })),
        ),
    ),
  )('[P114] stops without $path of $module', ({ module, path }) => {
    expect(() => assertRelease(loadWith(module, path, undefined))).toThrow(
      `${path} of ${module}`,
    );
  });

  it('takes an export of another type for a missing one', () => {
    const path = 'authServiceFactory.factory';
    expect(() => assertRelease(loadWith(AUTH, path, {}))).toThrow(
      `which lacks ${path} of ${AUTH}. It works with`,
    );
  });

  it.each(['ERR_PACKAGE_PATH_NOT_EXPORTED', 'MODULE_NOT_FOUND'])(
    '[P114] names what is missing (%s), the releases that were tested, and what to do, in one line',
    code => {
      const load: LoadModule = name =>
        name === '@backstage/backend-defaults/package.json'
          ? { version: '0.20.0' }
          : loadWithout(HTTP_ROUTER, code)(name);
      expect(() => assertRelease(load)).toThrow(
        /^API gate does not work with this release of Backstage or Node \(backend-defaults 0\.20\.0, Node [\d.]+\), which lacks @backstage\/backend-defaults\/httpRouter(, @backstage\/backend-defaults\/httpRouter)?\. It works with the releases of December 2025 \(backend-defaults 0\.14\) to November 2026 \(0\.19\)\. Update .*$/,
      );
    },
  );

  it('says that backend-defaults is not installed', () => {
    const load = loadWithout('@backstage/backend-defaults');
    expect(() => assertRelease(load)).toThrow(
      '(backend-defaults is not installed, ',
    );
  });

  it('passes on the error of a module that fails as it loads', () => {
    const load: LoadModule = name => {
      if (name === AUTH) {
        throw new SyntaxError('broken');
      }
      return require(name);
    };
    expect(() => assertRelease(load)).toThrow(SyntaxError);
  });

  it('needs no part of WebSocket handlers where Backstage has none', () => {
    const load: LoadModule = name => {
      const { createWebSocketRouter: _, ...others } = require(name);
      return name === '@backstage/backend-defaults/rootHttpRouter'
        ? { ...others, DefaultRootHttpRouter: class {} }
        : others;
    };
    expect(() => assertRelease(load)).not.toThrow();
  });
});

describe('readBackstageVersion', () => {
  it('returns the version of the backend-defaults that is loaded', () => {
    expect(readBackstageVersion()).toMatch(/^0\.\d+\.\d+/);
  });

  it.each([undefined, {}, { version: 1 }])(
    'returns nothing for %j',
    exported => {
      expect(readBackstageVersion(() => exported)).toBeUndefined();
    },
  );
});
