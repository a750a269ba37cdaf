import { execFileSync } from 'node:child_process';
import path from 'node:path';
import ts from 'typescript';
import { productSources, readDocument, root } from '../__testUtils__/documents';

/** The most that a reader of the gate must read and follow. When the code gets smaller, these limits follow it. */
const LIMITS = {
  'lines of the core': 5409,
  'files of the core': 40,
  'types of the core that bundle services': 1,
  'lines of src without tests': 22200,
  'files of src without tests': 185,
  'files of src without tests that are under 20 lines': 3,
  'lines of *.test.ts': 52400,
  'files that an anonymous request touches': 30,
  'files that a remembered bearer token touches': 38,
  'files that a cookie touches': 37,
  'turns in the way of an upgrade': 0,
};

const linesIn = (texts: string[]) => texts.join('').split('\n').length - 1;
const textOf = (file: string) => readDocument(file).text;

/** Returns the files that a file loads at run time, and itself: the output of TypeScript has no imports of types. */
function closureOf(file: string, found = new Set<string>()): Set<string> {
  if (!found.has(file)) {
    found.add(file);
    const { outputText } = ts.transpileModule(textOf(file), {
      compilerOptions: { module: ts.ModuleKind.CommonJS },
    });
    for (const [, to] of outputText.matchAll(/require\("(\.[^"]+)"\)/g)) {
      closureOf(path.posix.join(path.posix.dirname(file), `${to}.ts`), found);
    }
  }
  return found;
}

/** Returns the names of types that are, by their names, parameters with several services. */
function serviceTypes(files: string[]): string[] {
  const declaration =
    /^(?:export )?(?:interface|type) (\w*(?:Services|Options|Parts|Dependencies|Deps))\b/gm;
  return files.flatMap(file =>
    [...textOf(file).matchAll(declaration)].map(([, name]) => name),
  );
}

function measureRequests(): Record<
  'anonymous' | 'bearer' | 'cookie' | 'turns',
  string[]
> {
  const output = execFileSync(
    process.execPath,
    [
      '-r',
      '@backstage/cli-node/config/nodeTransform.cjs',
      'dev/measureCore.ts',
    ],
    { cwd: root, encoding: 'utf8', stdio: 'pipe', timeout: 60_000 },
  );
  return JSON.parse(output);
}

const core = [...closureOf('src/gate/createApiGate.ts')];
const product = productSources();
const gateFiles = product
  .map(({ file }) => file)
  .filter(file => core.includes(file) || file.startsWith('src/gate/'));
const tests = ts.sys
  .readDirectory(path.join(root, 'src'), ['.test.ts'])
  .map(file => ts.sys.readFile(file)!);
const requests = measureRequests();

const figures: Record<keyof typeof LIMITS, number> = {
  'lines of the core': linesIn(core.map(textOf)),
  'files of the core': core.length,
  'types of the core that bundle services': serviceTypes(gateFiles).length,
  'lines of src without tests': linesIn(product.map(({ text }) => text)),
  'files of src without tests': product.length,
  'files of src without tests that are under 20 lines': product.filter(
    ({ text }) => linesIn([text]) < 20,
  ).length,
  'lines of *.test.ts': linesIn(tests),
  'files that an anonymous request touches': requests.anonymous.length,
  'files that a remembered bearer token touches': requests.bearer.length,
  'files that a cookie touches': requests.cookie.length,
  'turns in the way of an upgrade': requests.turns.length,
};

it.each(
  Object.entries(LIMITS).map(
    ([name, limit]) =>
      [name, figures[name as keyof typeof LIMITS], limit] as const,
  ),
)('%s: %i, at most %i', (_name, figure, limit) =>
  expect(figure).toBeLessThanOrEqual(limit),
);

it('docs/how-it-works.md lists the files of the core, each once', () => {
  const listed = [
    ...textOf('docs/how-it-works.md').matchAll(/^- `([^`]+\.ts)`: /gm),
  ].map(([, file]) => `src/${file}`);
  expect(listed.sort()).toEqual(core.sort());
});
