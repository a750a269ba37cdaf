import { productSources, readDocument } from '../__testUtils__/documents';

/** The most lines of the core, which is the folder `src/gate`. */
const BUDGET = 7_000;

/** The most that a reader of the gate must read. When the code gets smaller, these limits follow it. */
const LIMITS = {
  'types of the core that bundle services': 1,
  'lines of src without tests': 22690,
  'files of src without tests': 191,
  'files of src without tests that are under 20 lines': 3,
};

const linesIn = (texts: string[]) => texts.join('').split('\n').length - 1;
const textOf = (file: string) => readDocument(file).text;

/** Returns the names of types that are, by their names, parameters with several services. */
function serviceTypes(files: string[]): string[] {
  const declaration =
    /^(?:export )?(?:interface|type) (\w*(?:Services|Options|Parts|Dependencies|Deps))\b/gm;
  return files.flatMap(file =>
    [...textOf(file).matchAll(declaration)].map(([, name]) => name),
  );
}

const product = productSources();
const core = product
  .map(({ file }) => file)
  .filter(file => file.startsWith('src/gate/'));

const figures: Record<keyof typeof LIMITS, number> = {
  'types of the core that bundle services': serviceTypes(core).length,
  'lines of src without tests': linesIn(product.map(({ text }) => text)),
  'files of src without tests': product.length,
  'files of src without tests that are under 20 lines': product.filter(
    ({ text }) => linesIn([text]) < 20,
  ).length,
};

const lines = linesIn(core.map(textOf));

it(`the core has ${lines} lines of at most ${BUDGET}, in ${core.length} files`, () =>
  expect(lines).toBeLessThanOrEqual(BUDGET));

it.each(
  Object.entries(LIMITS).map(
    ([name, limit]) =>
      [name, figures[name as keyof typeof LIMITS], limit] as const,
  ),
)('%s: %i, at most %i', (_name, figure, limit) =>
  expect(figure).toBeLessThanOrEqual(limit),
);

it('CONTRIBUTING.md lists the files of the core, each once', () => {
  const listed = [
    ...textOf('CONTRIBUTING.md').matchAll(/^- `([^`]+\.ts)`: /gm),
  ].map(([, file]) => `src/${file}`);
  expect(listed.sort()).toEqual(core.sort());
});
