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

const NEW_PLUGINS = constant(
  'backstage/uninstalledPluginAuth',
  'NEW_PER_MINUTE',
);
const OF_PLUGIN = constant(
  'operators/reports/RefusalCounts',
  'MAX_KINDS_OF_PLUGIN',
);
const SUBJECTS = constant('operators/reports/Uses', 'MAX_SUBJECTS');

// Unit tests fail if the other constants that pages quote are raised far: none holds these three.
it.each([
  ['how-it-works', `${inWords(NEW_PLUGINS)} new ones a minute`],
  ['observability', `${OF_PLUGIN} kinds are counted one by one`],
  ['observability', `${SUBJECTS} are named`],
])('docs/%s.md has the figure of the code: %s', (page, sentence) => {
  const { text } = readDocument(`docs/${page}.md`);
  expect(text.replace(/\s+/g, ' ')).toContain(sentence);
});
