import fs from 'node:fs';
import path from 'node:path';
import {
  assertBackstageIsKnown,
  INTERNALS,
  OPTIONAL_EXPORTS,
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
        if (name === '@backstage/backend-defaults/httpAuth') {
          throw Object.assign(new Error(), { code });
        }
        return name === '@backstage/backend-defaults/package.json'
          ? { version: '0.20.0' }
          : require(name);
      };
      expect(() => assertBackstageIsKnown(load)).toThrow(
        /^API gate does not work with this release of Backstage \(backend-defaults 0\.20\.0\), which lacks @backstage\/backend-defaults\/httpAuth\. It works with the releases of October 2025 \(backend-defaults 0\.13\) to November 2026 \(0\.19\)\. Update .*$/,
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

describe('INTERNALS', () => {
  const src = path.resolve(__dirname, '..');
  const sources = fs
    .readdirSync(src, { recursive: true, encoding: 'utf8' })
    .filter(
      file =>
        file.endsWith('.ts') &&
        !/\.test\.ts$|^(tests|attacks|properties|legacy|__testUtils__)\//.test(
          file,
        ),
    )
    .map(file => fs.readFileSync(path.join(src, file), 'utf8'));

  it('has every import from backend-defaults', () => {
    const imports = sources.flatMap(source =>
      [
        ...source.matchAll(
          /^import \{([^}]+)\} from '(@backstage\/backend-defaults[^']*)'/gm,
        ),
      ].flatMap(([, names, module]) =>
        names
          .split(',')
          .map(name => name.trim().split(' as ')[0])
          .filter(name => name && !name.startsWith('type '))
          .filter(name => !OPTIONAL_EXPORTS.includes(name))
          .map(name => ({ module, name })),
      ),
    );
    expect(imports.length).toBeGreaterThan(5);
    for (const { module, name } of imports) {
      expect(
        Object.keys(INTERNALS[module]).map(field => field.split('.')[0]),
      ).toContain(name);
    }
  });

  it('has every core service that a module asks for', () => {
    const names = sources.flatMap(source =>
      [...source.matchAll(/\bcoreServices\.(\w+)/g)].map(([, name]) => name),
    );
    const fields = Object.keys(INTERNALS['@backstage/backend-plugin-api']);
    expect(names.length).toBeGreaterThan(20);
    expect(fields).toEqual(
      expect.arrayContaining(names.map(name => `coreServices.${name}`)),
    );
  });
});
