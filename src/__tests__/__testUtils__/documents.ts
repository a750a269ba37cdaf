import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

export const root = path.resolve(__dirname, '../../..');

/** A document of the repository. */
export interface Document {
  /** The path from the root of the repository. */
  file: string;
  text: string;
}

/** A fenced block of code. */
export interface CodeBlock {
  file: string;
  text: string;
}

export function readDocument(file: string): Document {
  return { file, text: readFileSync(path.join(root, file), 'utf8') };
}

/** Every document that an adopter or a contributor reads. */
export const documents: Document[] = [
  'README.md',
  'CHANGELOG.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  ...readdirSync(path.join(root, 'docs'), { recursive: true })
    .map(file => path.posix.join('docs', String(file)))
    .filter(file => file.endsWith('.md'))
    .sort(),
].map(readDocument);

/** Returns the fenced blocks of a language, without their indentation. */
export function codeBlocks(language: string): CodeBlock[] {
  return documents.flatMap(({ file, text }) =>
    blocksIn(text, language).map(block => ({ file, text: block })),
  );
}

/**
 * Returns the blocks of a language that follow a heading of a page, in their order.
 *
 * @throws Error if the page has no such heading, or no such block behind it
 */
export function blocksAfter(
  file: string,
  heading: string,
  language = 'yaml',
): [string, ...string[]] {
  const { text } = readDocument(file);
  const start = text.indexOf(`# ${heading}\n`);
  const [first, ...others] =
    start === -1 ? [] : blocksIn(text.slice(start), language);
  if (first === undefined) {
    throw new Error(`${file} has no block of ${language} after "${heading}"`);
  }
  return [first, ...others];
}

function blocksIn(text: string, language: string): string[] {
  return [
    ...text.matchAll(
      new RegExp(`^( *)\`\`\`${language}\\n(.*?)\\n\\1\`\`\`$`, 'gms'),
    ),
  ].map(([, indent, block]) =>
    block.replace(new RegExp(`^${indent}`, 'gm'), ''),
  );
}

/** Returns a document without its fenced blocks. */
export function proseOf({ text }: Document): string {
  return text.replace(/^( *)```.*?^\1```$/gms, '');
}

/**
 * Returns the rows of the first table with these columns, as the texts of their cells.
 *
 * @throws Error if there is no such table
 */
export function tableRows(file: string, columns: string[]): string[][] {
  const lines = readDocument(file).text.split('\n');
  const cellsOf = (line: string) =>
    line
      .replace(/^\||\|$/g, '')
      .split(/(?<!\\)\|/)
      .map(cell => cell.trim());
  const head = lines.findIndex(
    line =>
      line.startsWith('|') && cellsOf(line).join('|') === columns.join('|'),
  );
  if (head === -1) {
    throw new Error(`${file} has no table of ${columns.join(', ')}`);
  }
  const rows = lines.slice(head + 2);
  const end = rows.findIndex(line => !line.startsWith('|'));
  return rows.slice(0, end === -1 ? undefined : end).map(cellsOf);
}

/** Returns the texts in backticks. */
export function codeIn(text: string): string[] {
  return [...text.matchAll(/`([^`]+)`/g)].map(([, code]) => code);
}

/** Returns the sources of the product: TypeScript without tests. */
export function productSources(): Document[] {
  return readdirSync(path.join(root, 'src'), { recursive: true })
    .map(file => path.posix.join('src', String(file)))
    .filter(
      file =>
        file.endsWith('.ts') &&
        !file.endsWith('.test.ts') &&
        !file.startsWith('src/__tests__/'),
    )
    .map(readDocument);
}
