import {
  assertNoneStops,
  findMissingFeatures,
  LoadModule,
  MISSING_SERVER_SEARCH,
  readBackstageVersion,
  RELEASE_FEATURES,
  ReleaseFeature,
} from './releaseFeatures';

const rows = Object.entries<ReleaseFeature>(RELEASE_FEATURES).flatMap(
  ([id, { fields = {}, without }]) =>
    Object.entries(fields).flatMap(([module, paths]) =>
      Object.keys(paths).map(path => ({ id, module, path, without })),
    ),
);

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

/** Starts without plugins on a release. */
const start = (load: LoadModule) =>
  assertNoneStops(findMissingFeatures(load), () => false, load);

const HTTP_ROUTER = '@backstage/backend-defaults/httpRouter';

// WebSocket handlers exist since backend-defaults 0.19.
const hasWebSocketHandlers = 'createWebSocketRouter' in require(HTTP_ROUTER);
const isNeeded = ({ id }: { id: string }) =>
  hasWebSocketHandlers || id !== 'websocket-handlers';

describe('findMissingFeatures', () => {
  it('finds none on the release that is installed', () => {
    expect(findMissingFeatures(require)).toEqual([]);
  });

  it.each(rows.filter(row => row.without === 'starts closed').filter(isNeeded))(
    '[P114] maps $path of $module to $id',
    ({ id, module, path }) => {
      expect(findMissingFeatures(loadWith(module, path, undefined))).toEqual([
        expect.objectContaining({
          id,
          missing: expect.arrayContaining([`${path} of ${module}`]),
        }),
      ]);
    },
  );

  it.each(rows.filter(row => row.without === 'stops'))(
    '[P114] stops without $path of $module',
    ({ module, path }) => {
      expect(() => start(loadWith(module, path, undefined))).toThrow(
        `which lacks ${path} of ${module}. It works with`,
      );
    },
  );

  it('takes an export of another type for a missing one', () => {
    const [{ missing }] = findMissingFeatures(
      loadWith(
        '@backstage/backend-defaults/auth',
        'authServiceFactory.deps',
        () => ({}),
      ),
    );
    expect(missing[0]).toBe(
      'authServiceFactory.deps of @backstage/backend-defaults/auth',
    );
  });

  it.each(['ERR_PACKAGE_PATH_NOT_EXPORTED', 'MODULE_NOT_FOUND'])(
    'names a module that is not there (%s), the version, and what to do, in one line',
    code => {
      const load: LoadModule = name =>
        name === '@backstage/backend-defaults/package.json'
          ? { version: '0.20.0' }
          : loadWithout(HTTP_ROUTER, code)(name);
      expect(() => start(load)).toThrow(
        /^API gate does not work with this release of Backstage \(backend-defaults 0\.20\.0\), which lacks @backstage\/backend-defaults\/httpRouter\. It works with the releases of December 2025 \(backend-defaults 0\.14\) to November 2026 \(0\.19\)\. Update .*$/,
      );
    },
  );

  it('says that backend-defaults is not installed', () => {
    const load = loadWithout('@backstage/backend-defaults');
    expect(() => start(load)).toThrow('(backend-defaults is not installed)');
  });

  it('passes on the error of a module that fails as it loads', () => {
    const load: LoadModule = name => {
      if (name === '@backstage/backend-defaults/auth') {
        throw new SyntaxError('broken');
      }
      return require(name);
    };
    expect(() => findMissingFeatures(load)).toThrow(SyntaxError);
  });

  it('needs no part of WebSocket handlers where Backstage has none', () => {
    const load: LoadModule = name => {
      const { createWebSocketRouter: _, ...others } = require(name);
      return name === '@backstage/backend-defaults/rootHttpRouter'
        ? { ...others, DefaultRootHttpRouter: class {} }
        : others;
    };
    expect(findMissingFeatures(load)).toEqual([]);
  });
});

describe('assertNoneStops', () => {
  const missing = findMissingFeatures(
    loadWith(
      '@backstage/backend-defaults/auth',
      'authServiceFactory.deps.plugin',
      undefined,
    ),
  );

  it('[P114] stops without what verifies tokens for the plugins behind the gateway', () => {
    expect(() => assertNoneStops(missing, id => id === 'gateway')).toThrow(
      /^API gate does not work with this release of Backstage beside the plugin gateway \(backend-defaults [^)]+\), which lacks authServiceFactory\.deps\.plugin of @backstage\/backend-defaults\/auth\. .* Update [^,]+, remove the plugin gateway, or stay on one of these: [^\n]+$/,
    );
  });

  it('lets all other backends start', () => {
    expect(() => {
      assertNoneStops(missing, id => id !== 'gateway');
      assertNoneStops([MISSING_SERVER_SEARCH], () => true);
      assertNoneStops([], () => true);
    }).not.toThrow();
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
