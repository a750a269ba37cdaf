import fs from 'node:fs';
import path from 'node:path';

const root = path.resolve(__dirname, '../../..');

// The folder of an older release names that release: its run has a copy of these tests there. See .ci/releases/run.
const { API_GATE_TEST_RELEASE: release } = process.env;

const packagesFile = path.join(
  root,
  release ? 'package.json' : '.ci/releases/2026-11/package.json',
);

const { dependencies } = JSON.parse(fs.readFileSync(packagesFile, 'utf8'));
const names = Object.keys(dependencies).filter(name =>
  name.startsWith('@backstage/'),
);

/** Returns the folder of a package that modules in another folder import. */
const folderOf = (name: string, from = __dirname) =>
  path.dirname(require.resolve(`${name}/package.json`, { paths: [from] }));

const manifestOf = (name: string) =>
  JSON.parse(
    fs.readFileSync(path.join(folderOf(name), 'package.json'), 'utf8'),
  );

it(`is that of ${release ?? 'November 2026'}`, () => {
  expect(names.length).toBeGreaterThan(8);
  for (const name of names) {
    expect(`${name} ${manifestOf(name).version}`).toBe(
      `${name} ${dependencies[name]}`,
    );
  }
});

it('is one copy of each package', () => {
  for (const dependant of names) {
    const { dependencies: needed = {} } = manifestOf(dependant);
    for (const name of names.filter(other => other in needed)) {
      expect(folderOf(name, folderOf(dependant))).toBe(folderOf(name));
    }
  }
});
