import fs from 'node:fs';
import path from 'node:path';

// The Backstage that this run is on. Runs on another one than the main install's say which.
const { API_GATE_TEST_RELEASE: release = 'november-2026' } = process.env;

const RELEASES: Record<string, Record<string, string>> = {
  'november-2026': {
    '@backstage/backend-plugin-api': '1.12.0',
    '@backstage/backend-defaults': '0.19.0',
    '@backstage/plugin-auth-node': '0.7.8',
    '@backstage/plugin-auth-backend': '0.31.0',
    '@backstage/plugin-auth-backend-module-guest-provider': '0.2.25',
    '@backstage/plugin-signals-backend': '0.3.21',
  },
  'september-2026': {
    '@backstage/backend-plugin-api': '1.10.1',
    '@backstage/backend-defaults': '0.18.0',
    '@backstage/plugin-auth-node': '0.7.6',
    '@backstage/plugin-auth-backend': '0.30.1',
    '@backstage/plugin-auth-backend-module-guest-provider': '0.2.23',
    '@backstage/plugin-signals-backend': '0.3.19',
  },
};

const names = Object.keys(RELEASES[release]);

/** The folder of the package that modules in another folder get. */
const folderOf = (name: string, from = __dirname) =>
  path.dirname(require.resolve(`${name}/package.json`, { paths: [from] }));

const manifestOf = (name: string) =>
  JSON.parse(
    fs.readFileSync(path.join(folderOf(name), 'package.json'), 'utf8'),
  );

it(`is that of ${release}`, () => {
  expect(
    Object.fromEntries(names.map(name => [name, manifestOf(name).version])),
  ).toEqual(RELEASES[release]);
});

it('is one copy of each package', () => {
  for (const dependant of names) {
    const { dependencies } = manifestOf(dependant);
    for (const name of names.filter(other => other in dependencies)) {
      expect(folderOf(name, folderOf(dependant))).toBe(folderOf(name));
    }
  }
});
