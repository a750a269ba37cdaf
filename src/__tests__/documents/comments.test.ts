import { readdirSync } from 'node:fs';
import { readDocument, root } from '../__testUtils__/documents';

// A comment that starts with a pronoun in place of a noun of the code is read twice.
const PRONOUN =
  /^\s*(?:\/\/|\/\*\*) (?:What|Those|Who|One|Of|Whatever|As|Tells)\b/;

const sources = readdirSync(`${root}/src`, { recursive: true })
  .map(file => `src/${file}`)
  .filter(file => /\.tsx?$/.test(file));

it('no comment of src starts with a pronoun', () =>
  expect(
    sources.flatMap(file =>
      readDocument(file)
        .text.split('\n')
        .flatMap((line, i) =>
          PRONOUN.test(line) ? `${file}:${i + 1}:${line}` : [],
        ),
    ),
  ).toEqual([]));
