import { escape, memoize } from 'lodash';
import type { Asked } from './renderPage';

/** A part of the page that each reader gets made anew. */
export type Late = (asked: Asked) => Html;

/** Stands for a late part in a text. No other text has the character, because {@link html} replaces it. */
export const LATE = '\0';

/** HTML as text: that of {@link html}, in which each value is escaped, or a constant. */
export class Html {
  /** @param late - the late parts of the text, in their order */
  constructor(
    private readonly text: string,
    readonly late: readonly Late[] = [],
  ) {}

  toString(): string {
    return this.text;
  }
}

/** What a template may hold: text and numbers are escaped, `undefined` and `false` are left out. */
export type Content =
  Html | Late | string | number | undefined | false | readonly Content[];

const PLAIN = /^[\w /.:*,()-]*$/;

// They could change the order in which a browser shows what follows, or stay invisible.
const CONTROLS = /[\p{Cc}\p{Cf}\u2028\u2029]/gu;

/** Returns the parts of a template without the indentation of the source, which would be half of a large page. */
const compact = memoize((parts: TemplateStringsArray) =>
  parts.map(part => part.replace(/\s*\n\s*/g, '\n')),
);

/** Makes HTML of a template. Values belong between tags, or between double quotes; never into a tag's name, a style or a script. */
export function html(parts: TemplateStringsArray, ...values: Content[]): Html {
  const [first, ...others] = compact(parts);
  return new Html(
    others.reduce((text, part, i) => text + toText(values[i]) + part, first),
    values.flatMap(lateIn),
  );
}

function lateIn(content: Content): readonly Late[] {
  const late = typeof content === 'function' ? [content] : [];
  return Array.isArray(content)
    ? content.flatMap(lateIn)
    : ((content as Html | undefined)?.late ?? late);
}

function toText(content: Content): string {
  if (content instanceof Html) {
    return content.toString();
  }
  if (Array.isArray(content)) {
    return content.map(toText).join('');
  }
  if (content === undefined || content === false) {
    return '';
  }
  if (typeof content === 'function') {
    return LATE;
  }
  const text = String(content);
  // Most of a large page is such text.
  return PLAIN.test(text) ? text : escape(text.replace(CONTROLS, '\uFFFD'));
}
