import { execFileSync } from 'node:child_process';
import { cpSync, existsSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
import {
  Document,
  documents,
  proseOf,
  readDocument,
  root,
} from '../__testUtils__/documents';
import { temporaryFolder } from '../__testUtils__/temporaryFolder';

interface Link {
  from: string;
  to: string;
}

const links: Link[] = documents.flatMap(document =>
  [
    ...proseOf(document).matchAll(
      /(?:\]\(|\b(?:src|srcset|href)=")([^)"]+)[)"]/g,
    ),
  ].map(([, to]) => ({ from: document.file, to })),
);

const isExternal = ({ to }: Link) => /^[a-z]+:/.test(to);

/** Returns the file that a link leads to, and the anchor in it. */
function targetOf({ from, to }: Link): { file: string; anchor?: string } {
  const [file, anchor] = to.split('#');
  return {
    file: file ? path.posix.join(path.posix.dirname(from), file) : from,
    anchor,
  };
}

/** Returns the anchors of the headings, as GitHub and MkDocs make them. */
function anchorsOf(document: Document): string[] {
  return [...proseOf(document).matchAll(/^#+ (.*)$/gm)].map(([, title]) =>
    title
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replace(/ /g, '-'),
  );
}

const named = (all: Link[]) =>
  all.map(link => [`${link.from}: ${link.to}`, link] as const);

describe('the links of the documents', () => {
  const internal = links.filter(link => !isExternal(link));

  it.each(named(internal))('lead to a file and a heading: %s', (_, link) => {
    const { file, anchor } = targetOf(link);
    expect(existsSync(path.join(root, file))).toBe(true);
    const anchors =
      anchor === undefined ? [anchor] : anchorsOf(readDocument(file));
    expect(anchors).toContain(anchor);
  });

  it.each(named(internal.filter(({ from }) => from.startsWith('docs/'))))(
    'stay within the site: %s',
    (_, link) => expect(targetOf(link).file).toMatch(/^docs\//),
  );

  it.each(named(links.filter(isExternal)))('are https: %s', (_, { to }) =>
    expect(to).toMatch(/^https:\/\//),
  );
});

describe('the package', () => {
  // npm would read all packages that are installed beside the files.
  const folder = temporaryFolder();
  const without = [
    'node_modules',
    '.git',
    '.ci',
    'integration',
    'reports',
    'src',
  ];
  cpSync(root, folder, {
    recursive: true,
    filter: file => !without.includes(path.relative(root, file)),
  });
  // Without its scripts, which build the package first.
  const [{ files }] = JSON.parse(
    execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
      cwd: folder,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }),
  );
  const packed = new Set<string>(
    files.map((file: { path: string }) => file.path),
  );

  it.each(documents.map(({ file }) => file))('has %s', file =>
    expect(packed).toContain(file),
  );

  // Photographs of pages are half of its size, and a reader sees them on npm's page, which has them from the repository.
  const isPicture = ({ to }: Link) => to.endsWith('.png');

  it.each(named(links.filter(link => !isExternal(link) && !isPicture(link))))(
    'has what its documents link to: %s',
    (_, link) => expect(packed).toContain(targetOf(link).file),
  );
});

it('the README has at most 900 words and 8 KB', () => {
  const text = readDocument('README.md').text.replace(/<!--.*?-->/g, '');
  expect(text.trim().split(/\s+/).length).toBeLessThanOrEqual(900);
  expect(Buffer.byteLength(text)).toBeLessThanOrEqual(8 * 1024);
});

it('mkdocs.yml has every page once', () => {
  const pagesOf = (nav: unknown): string[] =>
    typeof nav === 'string'
      ? [nav]
      : Object.values(nav as object).flatMap(pagesOf);
  const { nav } = parse(readDocument('mkdocs.yml').text);
  const pages = documents
    .filter(({ file }) => file.startsWith('docs/'))
    .map(({ file }) => file.slice('docs/'.length));
  expect(pagesOf(nav).sort()).toEqual(pages.sort());
});

it('docs/index.md has the 42 questions, each with a link to its answer', () => {
  const { text } = readDocument('docs/index.md');
  const questions = [...text.matchAll(/^(\d+)\. \[[^\]]+\?\]\([^)]+\)$/gm)];
  expect(questions.map(([, number]) => Number(number))).toEqual(
    Array.from({ length: 42 }, (_, i) => i + 1),
  );
});
