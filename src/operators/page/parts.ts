import { Content, Html, html } from './html';

export type Column<Row> = readonly [title: string, cell: (row: Row) => Content];

/** Makes a table, which narrow screens show as a list of its rows. It has no column that is empty in all rows. */
export function table<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  caption: Content,
): Html {
  const contents = rows.map(row => columns.map(([, cell]) => cell(row)));
  const used = columns
    .map(([title], column) => ({ title, column }))
    .filter(({ column }) => contents.some(row => !isEmpty(row[column])));
  const head = used.map(({ title }) => html`<th scope="col">${title}</th>`);
  const body = contents.map(row => {
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
    <caption>
      ${caption}
    </caption>
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

export function preformatted(lines: readonly Content[]): Html {
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

export function number(count: number): string {
  return count.toLocaleString('en');
}

/** Writes a number with its noun, such as `1 request` and `2 requests`. */
export function counted(count: number, noun: string): string {
  return `${number(count)} ${noun}${count === 1 ? '' : 's'}`;
}
