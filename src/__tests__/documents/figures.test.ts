import { readDocument } from '../__testUtils__/documents';

/** Returns the value of a constant in a file of `src`. */
function constant(file: string, name: string): number {
  const { text } = readDocument(`src/${file}.ts`);
  const [, value] = text.match(
    new RegExp(`^(?:export )?const ${name} = ([\\d_]+);`, 'm'),
  )!;
  return Number(value.replaceAll('_', ''));
}

const WORDS: Record<number, string> = {
  5: 'five',
  7: 'seven',
  8: 'eight',
  10: 'ten',
  60: 'sixty',
};
const inWords = (value: number) => WORDS[value];
const inDigits = (value: number) => value.toLocaleString('en-US');

const NEW_ENDPOINTS = constant('gate/verify/KeyEndpoints', 'NEW_PER_MINUTE');
const NEW_PLUGINS = constant(
  'backstage/uninstalledPluginAuth',
  'NEW_PER_MINUTE',
);
const RETURNING = constant('gate/verify/NewcomerLimit', 'RETURNING_PER_SECOND');
const TOKENS = constant('gate/verify/TokenCache', 'MAX_TOKENS');
const REFUSALS = constant('operators/reports/Refusals', 'MAX_REFUSALS');
const OF_USER = constant(
  'operators/routes/createRevocationRouter',
  'MAX_PER_USER',
);
const OF_SERVICE = constant(
  'operators/routes/createRevocationRouter',
  'MAX_PER_SERVICE',
);
const COUNTS = 'operators/reports/RefusalCounts';
const KINDS = constant(COUNTS, 'MAX_KINDS');
const OF_PLUGIN = constant(COUNTS, 'MAX_KINDS_OF_PLUGIN');
const SUBJECTS = constant('operators/reports/Uses', 'MAX_SUBJECTS');
const endpointsAtWorst = inDigits(NEW_ENDPOINTS + 60 * RETURNING);

it.each([
  ['how-it-works', `${inWords(NEW_ENDPOINTS)} new ids a minute`],
  ['how-it-works', `${inWords(RETURNING)} a second at most`],
  ['how-it-works', `cause ${endpointsAtWorst} fetches a minute`],
  ['how-it-works', `${inWords(NEW_PLUGINS)} new ones a minute`],
  ['performance', `remembers ${inDigits(TOKENS)} tokens`],
  ['observability', `${OF_PLUGIN} kinds are counted one by one`],
  ['observability', `and ${2 * KINDS} in all`],
  ['observability', `${SUBJECTS} are named`],
  ['reference/http-api', `the last ${REFUSALS} refusals`],
  [
    'reference/http-api',
    `more than ${OF_USER} a minute from one user, or ${inDigits(OF_SERVICE)} from one service`,
  ],
])('docs/%s.md has the figure of the code: %s', (page, sentence) => {
  const { text } = readDocument(`docs/${page}.md`);
  expect(text.replace(/\s+/g, ' ')).toContain(sentence);
});
