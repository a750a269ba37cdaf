import { mapInPieces, Pieces } from '../pieces';
import { Content, Html, html } from './html';

/** A column of a table: its title, and what a row has there. */
export type Column<Row> = readonly [title: string, cell: (row: Row) => Content];

/** Makes a section of the page, which the links at its top lead to. */
export function section(id: string, title: string, ...body: Content[]): Html {
  return html`<section id="${id}" aria-labelledby="${id}-title">
    <h2 id="${id}-title">${title}</h2>
    ${body}
  </section>`;
}

/** Makes a table, which narrow screens show as a list of its rows. It has no column that is empty in all rows. */
export function* table<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
): Pieces<Html> {
  const contents = yield* mapInPieces(rows, row =>
    columns.map(([, cell]) => cell(row)),
  );
  const used = columns
    .map(([title], column) => ({ title, column }))
    .filter(({ column }) => contents.some(row => !isEmpty(row[column])));
  const head = used.map(({ title }) => html`<th scope="col">${title}</th>`);
  const body = yield* mapInPieces(contents, row => {
    // A narrow screen shows no empty cell.
    const cells = used.map(({ title, column }) =>
      isEmpty(row[column])
        ? html`<td></td>`
        : html`<td data-l="${title}">${row[column]}</td>`,
    );
    return html`<tr>
      ${cells}
    </tr> `;
  });
  return html`<table>
    <thead>
      <tr>
        ${head}
      </tr>
    </thead>
    <tbody>
      ${body}
    </tbody>
  </table>`;
}

function isEmpty(content: Content): boolean {
  return (
    content === undefined ||
    content === false ||
    content === '' ||
    (Array.isArray(content) && content.every(isEmpty))
  );
}

/** Makes a list, or nothing if there is no item. */
export function list(items: readonly Content[]): Html | undefined {
  return items.length > 0
    ? html`<ul>
        ${items.map(item => html`<li>${item}</li>`)}
      </ul>`
    : undefined;
}

export function code(text: string): Html {
  return html`<code>${text}</code>`;
}

/** Marks what stands before it, with a word or two. */
export function tag(kind: 'closed' | 'warned', ...content: Content[]): Html {
  return html` <span class="tag ${kind}">${content}</span>`;
}

/** Shows lines of text as they are. */
export function preformatted(lines: readonly string[]): Html {
  return html`<pre>${lines.map(line => [line, html`<br />`])}</pre>`;
}

/** Makes a sentence that stands out. */
export function note(
  kind: 'good' | 'open' | 'warned',
  ...content: Content[]
): Html {
  return html`<p class="note ${kind}">${content}</p>`;
}

/** Shows an instant in UTC, to the second. */
export function time(instant: string): Html {
  const text = instant.replace(/:00\.000Z$|\.\d+Z$/, '').replace('T', ' ');
  return html`<time datetime="${instant}">${text} UTC</time>`;
}

/** Shows a day, such as `2026-11-28`. */
export function date(day: string): Html {
  return html`<time>${day}</time>`;
}

const NUMBERS = new Intl.NumberFormat('en');

export function number(count: number): string {
  return NUMBERS.format(count);
}

/** Writes a number with its noun, such as `1 request` and `2 requests`. */
export function counted(count: number, noun: string): string {
  return `${number(count)} ${noun}${count === 1 ? '' : 's'}`;
}
