import { unescape } from 'lodash';
import type { Pieces } from '../pieces';
import {
  Explained,
  MAX_REQUEST_LENGTH,
  MAX_SUBJECT_LENGTH,
} from '../reports/explainInWords';
import type { PolicyReport } from '../reports/describePolicy';
import { Content, Html, html } from './html';

/** The most rows of a table, and items of a list, that a page shows. A filter shows others: the whole would be a megabyte. */
const MAX_SHOWN = 100;

/** The cells of a table's rows, by the title of the column. */
export type Columns<Row> = Record<string, (row: Row) => Content>;

/** Makes a table, which narrow screens show as a list of its rows. It has no column that is empty in all rows that it shows. */
export function table<Row>(
  columns: Columns<Row>,
  rows: readonly Row[],
  filter: string,
  none?: Content,
): Pieces<Content> {
  const cellsOf = (row: Row) => Object.values(columns).map(cell => cell(row));
  return filtered(rows, filter, cellsOf, none, shown => {
    const used = Object.keys(columns)
      .map((title, column) => ({ title, column }))
      .filter(({ column }) => shown.some(row => !isEmpty(row[column])));
    const body = shown.map(row => {
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
          ${used.map(({ title }) => html`<th scope="col">${title}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${body}
      </tbody>
    </table>`;
  });
}

function isEmpty(content: Content): boolean {
  return (
    content === undefined ||
    content === false ||
    content === '' ||
    (Array.isArray(content) && content.every(isEmpty))
  );
}

/** Shows the first of those items whose text has what the reader filters by, or `none` in place of an empty list. */
export function* filtered<T, C extends Content>(
  items: readonly T[],
  filter: string,
  render: (item: T) => C,
  none: Content,
  show: (found: readonly C[]) => Content,
): Pieces<Content> {
  if (items.length === 0) {
    return html`<p>${none}</p>`;
  }
  const found: C[] = [];
  for (const item of filter ? items : items.slice(0, MAX_SHOWN)) {
    const content = render(item);
    if (textOf(content).includes(filter.toLowerCase())) {
      found.push(content);
    }
    yield;
  }
  const left = (filter ? found : items).length - MAX_SHOWN;
  return html`${filter && html`<p class="muted">${number(found.length)} of ${number(items.length)} with this text</p>`}
  ${found.length > 0 && show(found.slice(0, MAX_SHOWN))}
  ${left > 0 && html`<p class="muted">${number(left)} more: filter by a text to see them. The policy route lists all.</p>`}`;
}

function textOf(content: Content): string {
  const tags = /<[^>]*>/g;
  return unescape(`${html`${content}`}`.replace(tags, ' ')).toLowerCase();
}

export function list(items: readonly Content[]): Html | undefined {
  return items.length > 0
    ? html`<ul>
        ${items.map(item => html`<li>${item}</li>`)}
      </ul>`
    : undefined;
}

/** A reader's questions: the label of each field, and its longest text. */
export const FIELDS = {
  filter: { label: 'Filter tables and lists by a text', maxlength: 100 },
  id: { label: 'Id of a refusal', maxlength: 64 },
  request: {
    label: 'Request, such as POST /api/events/http/github',
    maxlength: MAX_REQUEST_LENGTH,
  },
  subject: {
    label: 'Subject of an external token, or empty',
    maxlength: MAX_SUBJECT_LENGTH,
  },
};

/** The texts that a reader has sent, by field; empty for none. */
export type Asked = Record<keyof typeof FIELDS, string> & {
  explained: Explained | undefined;
};

/** A report for one reader. */
export type View = Asked & { report: PolicyReport };

/** Makes a form that asks this page for something, and leads to a section. */
export function form(
  anchor: string,
  button: string,
  asked: Asked,
  ...names: (keyof typeof FIELDS)[]
): Html {
  const fields = names.map(name => {
    const { label, maxlength } = FIELDS[name];
    return html`<label
      >${label}<input
        name="${name}"
        value="${asked[name]}"
        maxlength="${maxlength}"
        autocomplete="off"
        spellcheck="false"
    /></label>`;
  });
  return html`<form method="get" action="#${anchor}">
    ${fields}<button>${button}</button>
  </form>`;
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

export function note(kind: 'good' | 'open' | 'warned', content: Content): Html {
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
