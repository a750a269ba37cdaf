import {
  assertBackstageIsKnown,
  INTERNALS,
  readBackstageVersion,
} from './backstageInternals';

const rows = Object.entries(INTERNALS).flatMap(([module, paths]) =>
  Object.keys(paths).map(field => [module, field] as const),
);

/** Loads Backstage with a value at the end of a path of one of its modules. */
function loadWith(module: string, field: string, value: unknown) {
  const withValue = (parent: any, [first, ...rest]: string[]): any =>
    Object.create(parent, {
      [first]: { value: rest.length ? withValue(parent[first], rest) : value },
    });
  return (name: string) =>
    name === module
      ? withValue(require(name), field.split('.'))
      : require(name);
}

describe('assertBackstageIsKnown', () => {
  it('accepts the release that is installed', () => {
    expect(() => assertBackstageIsKnown(require)).not.toThrow();
  });

  it.each(rows)('names a missing export: of %s, %s', (module, field) => {
    expect(() =>
      assertBackstageIsKnown(loadWith(module, field, undefined)),
    ).toThrow(`which lacks ${field} of ${module}`);
  });

  it('names all that is missing', () => {
    const module = '@backstage/backend-defaults/httpRouter';
    const missing = ['service.id', 'deps', 'factory', 'initialization'].map(
      field => `httpRouterServiceFactory.${field} of ${module}`,
    );
    const load = (name: string) => (name === module ? {} : require(name));
    expect(() => assertBackstageIsKnown(load)).toThrow(
      `which lacks ${missing.join(', ')}. It works`,
    );
  });

  it('refuses an export of another type', () => {
    expect(() =>
      assertBackstageIsKnown(
        loadWith(
          '@backstage/backend-defaults/auth',
          'authServiceFactory.deps',
          () => ({}),
        ),
      ),
    ).toThrow('lacks authServiceFactory.deps of @backstage');
  });

  it.each(['ERR_PACKAGE_PATH_NOT_EXPORTED', 'MODULE_NOT_FOUND'])(
    'names a module that is not there (%s), and the version, in one line',
    code => {
      const load = (name: string) => {
        if (name === '@backstage/backend-defaults/httpRouter') {
          throw Object.assign(new Error(), { code });
        }
        return name === '@backstage/backend-defaults/package.json'
          ? { version: '0.20.0' }
          : require(name);
      };
      expect(() => assertBackstageIsKnown(load)).toThrow(
        /^API gate does not work with this release of Backstage \(backend-defaults 0\.20\.0\), which lacks @backstage\/backend-defaults\/httpRouter\. It works with the releases of December 2025 \(backend-defaults 0\.14\) to November 2026 \(0\.19\)\. Update .*$/,
      );
    },
  );

  it('says that backend-defaults is not installed', () => {
    const load = (name: string) => {
      if (name.startsWith('@backstage/backend-defaults')) {
        throw Object.assign(new Error(), { code: 'MODULE_NOT_FOUND' });
      }
      return require(name);
    };
    expect(() => assertBackstageIsKnown(load)).toThrow(
      '(backend-defaults is not installed)',
    );
  });

  it('passes on the error of a module that fails as it loads', () => {
    const load = (name: string) => {
      if (name === '@backstage/backend-defaults/auth') {
        throw new SyntaxError('broken');
      }
      return require(name);
    };
    expect(() => assertBackstageIsKnown(load)).toThrow(SyntaxError);
  });
});

describe('readBackstageVersion', () => {
  it('returns the version of the backend-defaults that is loaded', () => {
    expect(readBackstageVersion(require)).toMatch(/^0\.\d+\.\d+/);
  });

  it.each([undefined, {}, { version: 1 }])(
    'returns nothing for %j',
    exported => {
      expect(readBackstageVersion(() => exported)).toBeUndefined();
    },
  );
});
