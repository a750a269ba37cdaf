import { readDocument, tableRows } from '../__testUtils__/documents';

const PAGE = 'docs/performance.md';

/** Returns the median of a cell such as `1.46 (0.89–1.75)`. */
const medianOf = (cell: string) => Number(cell.split(' ')[0]);

it('docs/performance.md begins with the ratios of its tables', () => {
  const nodes = ['Node 20', 'Node 22', 'Node 24'];
  const ratios = tableRows(PAGE, ['what', ...nodes]);
  const speedOf = (load: string) =>
    medianOf(
      ratios.find(([what]) => what === `${load}: speed of gate ÷ stock`)![1],
    );
  const loads = tableRows(PAGE, ['load', 'variant', ...nodes]);
  const [gate, stock] = ['gate', 'stock'].map(name =>
    medianOf(
      loads.find(
        ([load, variant]) => load === 'public path' && variant === name,
      )![2],
    ),
  );
  const [, beginning] = readDocument(PAGE).text.split('\n\n');
  const words = beginning.replace(/\s+/g, ' ');
  for (const figure of [
    `${speedOf('one bearer').toFixed(1)} times as many requests of a trivial route with one token`,
    `${speedOf('service token').toFixed(1)} times as many between plugins`,
    `in ${(1 / speedOf('anonymous refused')).toFixed(1)} of the time`,
    `${Math.round((gate / stock - 1) * 100)} % more CPU time than without the gate (${gate - stock} µs)`,
  ]) {
    expect(words).toContain(figure);
  }
});
