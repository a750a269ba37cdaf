import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { compileFunction } from 'node:vm';
import express from 'express';
import ts from 'typescript';
import {
  blocksAfter,
  readDocument,
  root,
  tableRows,
} from '../__testUtils__/documents';
import {
  haveSameHiddenClass,
  isReplacingCostly,
} from '../__testUtils__/hiddenClass';

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

it('bench/hiddenClasses.js shows which requests share their hidden class', () => {
  const output = execFileSync(
    process.execPath,
    ['bench/hiddenClasses.js', '200'],
    { cwd: root, encoding: 'utf8' },
  );
  const shared = output.match(/(?<=shared: )\w+/g);
  expect(shared).toEqual([String(!isReplacingCostly), 'true']);
});

describe("the change of Backstage's createHttpServer", () => {
  const file = path.join(
    path.dirname(require.resolve('@backstage/backend-defaults/rootHttpRouter')),
    'entrypoints/rootHttpRouter/http/createHttpServer.cjs.js',
  );
  const code = readFileSync(file, 'utf8');
  const [block] = blocksAfter(
    'bench/README.md',
    'What would make `fasterServer` needless',
    'ts',
  );
  const changed = `${code.replaceAll(
    'createServer(listener)',
    'createServer(classesFor(listener), listener)',
  )}
${ts.transpile(block)}`;

  it.each([
    ['as it comes', code, !isReplacingCostly],
    ['changed', changed, true],
  ])('has requests share their hidden class: %s', async (_, text, isShared) => {
    const module = { exports: {} as Record<string, Function> };
    compileFunction(text, ['module', 'exports', 'require'])(
      module,
      module.exports,
      createRequire(file),
    );
    const handled: object[] = [];
    const app = express().use((req, res) => {
      handled.push(req);
      res.json({});
    });
    const server = await module.exports.createHttpServer(
      app,
      { listen: { host: 'localhost', port: 0 } },
      { logger: { info() {} } },
    );
    await server.start();
    for (let i = 0; i < 10; i += 1) {
      await fetch(`http://localhost:${server.port()}`);
    }
    await server.stop();
    const [one, other] = handled.slice(-2);
    expect(haveSameHiddenClass(one, other)).toBe(isShared);
  });
});
