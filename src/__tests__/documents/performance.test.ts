import { readDocument, tableRows } from '../__testUtils__/documents';

const PAGE = 'docs/performance.md';
const MEASURED = 'bench/README.md';
const NODES = ['Node 24', 'Node 22', 'Node 20'];

/** The rows of the page, and the loads that they show. */
const LOADS: Record<string, string> = {
  'one bearer token, a trivial route': 'one bearer',
  'the tokens of 1,000 browsers': '1,000 browsers',
  'a service token': 'service token',
  'a page of the catalog': 'catalog',
  'without a credential, refused': 'anonymous refused',
  'a public path': 'public path',
  'a public path, with 15 KB of cookies': '15 KB of cookies',
  'a token with a bad signature': 'bad signatures',
};

/** Returns the median of a cell such as `1.46 (0.89–1.75)`. */
const medianOf = (cell: string) => cell.split(' ')[0];

const loads = tableRows(MEASURED, ['load', 'variant', ...NODES]);
const ratios = tableRows(MEASURED, ['what', ...NODES]);

const costOf = (load: string, name: string) =>
  medianOf(
    loads.find(
      ([each, variant]) =>
        each === load && [name, `${name} with catalog`].includes(variant),
    )![2],
  );

const speedOf = (load: string, column: number) =>
  Number(
    medianOf(
      ratios.find(([what]) => what === `${load}: speed of gate ÷ stock`)![
        column
      ],
    ),
  );

it('docs/performance.md has the costs on Node 24 that bench/README.md has', () => {
  expect(
    tableRows(PAGE, ['Request', 'Without the gate', 'With the gate']),
  ).toEqual(
    Object.entries(LOADS).map(([request, load]) => [
      request,
      costOf(load, 'stock'),
      costOf(load, 'gate'),
    ]),
  );
});

it('docs/performance.md begins with the ratios that bench/README.md has', () => {
  const words = readDocument(PAGE).text.replace(/\s+/g, ' ');
  const [gate, stock] = ['gate', 'stock'].map(name =>
    Number(costOf('public path', name)),
  );
  for (const figure of [
    `${speedOf('one bearer', 1).toFixed(1)} times as many requests of a trivial route with one token`,
    `${speedOf('service token', 1).toFixed(1)} times as many between plugins`,
    `takes ${(1 / speedOf('anonymous refused', 1)).toFixed(1)} of the CPU time`,
    `${Math.round((gate / stock - 1) * 100)} % more (${gate - stock} µs)`,
    `On Node 22, the gate answers ${speedOf('one bearer', 2).toFixed(1)} times as many`,
  ]) {
    expect(words).toContain(figure);
  }
});

it('README.md has the ratios on Node 24', () => {
  const words = readDocument('README.md').text.replace(/\s+/g, ' ');
  const ratioOf = (load: string) =>
    Number(costOf(load, 'gate')) / Number(costOf(load, 'stock'));
  const less = Math.round((1 - ratioOf('one bearer')) * 100);
  const more = Math.round((ratioOf('public path') - 1) * 100);
  expect(words).toContain(`a trivial request takes [${less} % less CPU time]`);
  expect(words).toContain(`a public path takes ${more} % more`);
});
