import { once, unescape } from 'lodash';
import { mapInPieces, Pieces } from '../pieces';
import {
  MAX_REQUEST_LENGTH,
  MAX_SUBJECT_LENGTH,
} from '../reports/explainInWords';
import { Content, Html, html } from './html';
import type { Asked } from './renderPage';

/** The most rows of a table, and items of a list, that a page shows. A filter shows others: the whole would be a megabyte. */
const MAX_SHOWN = 100;

/** A part of the page that is made anew for each reader. */
export type Late = (asked: Asked) => Content;

export type Column<Row> = readonly [title: string, cell: (row: Row) => Content];

/** Makes a table, which narrow screens show as a list of its rows, and each reader may filter. It has no column that is empty in all rows. */
export function* table<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  none?: Content,
  warning: Content = '',
): Pieces<Late> {
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
  const shown = filtered(
    body,
    items =>
      html`<table>
        <thead>
          <tr>
            ${head}
          </tr>
        </thead>
        <tbody>
          ${items}
        </tbody>
      </table>`,
    none,
  );
  const warned = rows.length > 0 && warning && note('warned', warning);
  return asked => [warned, shown(asked)];
}

function isEmpty(content: Content): boolean {
  return (
    content === undefined ||
    content === false ||
    content === '' ||
    (Array.isArray(content) && content.every(isEmpty))
  );
}

/**
 * Shows each reader those items whose text has what the reader filters by, and no more than the first of them.
 *
 * @param none - stands in place of an empty list
 */
export function filtered(
  items: readonly Html[],
  show: (items: readonly Html[]) => Content,
  none?: Content,
): Late {
  if (items.length === 0) {
    return () => html`<p>${none}</p>`;
  }
  const textsOf = once(() => items.map(textOf));
  const render = (filter: string): Html => {
    const text = filter.toLowerCase();
    const found = text
      ? items.filter((_, i) => textsOf()[i].includes(text))
      : items;
    const left = found.length - MAX_SHOWN;
    return html`${filter !== '' && html`<p class="muted">${number(found.length)} of ${number(items.length)} with this text</p>`}
    ${found.length > 0 && show(found.slice(0, MAX_SHOWN))}
    ${left > 0 && html`<p class="muted">${number(left)} more: filter by a text to see them. The policy route lists all.</p>`}`;
  };
  const unfiltered = once(() => render(''));
  return ({ filter }) => (filter ? render(filter) : unfiltered());
}

function textOf(element: Html): string {
  return unescape(`${element}`.replace(/<[^>]*>/g, ' ')).toLowerCase();
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
    label: 'Request',
    maxlength: MAX_REQUEST_LENGTH,
    placeholder: 'POST /api/events/http/github',
  },
  subject: {
    label: 'Subject of an external token, or empty',
    maxlength: MAX_SUBJECT_LENGTH,
  },
};

type Field = { label: string; maxlength: number; placeholder?: string };

/** Makes a form that asks this page for something, and leads to a section. */
export function form(
  anchor: string,
  button: string,
  asked: Asked,
  ...names: (keyof typeof FIELDS)[]
): Html {
  const fields = names.map(name => {
    const { label, maxlength, placeholder = '' }: Field = FIELDS[name];
    return html`<label
      >${label}<input
        name="${name}"
        value="${asked[name]}"
        placeholder="${placeholder}"
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
