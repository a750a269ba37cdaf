import { escape, memoize } from 'lodash';
import { UNPRINTABLE } from '../../settings/logLine';

/** HTML as text: that of {@link html}, in which each value is escaped, or a constant. */
export class Html {
  constructor(private readonly text: string) {}

  toString(): string {
    return this.text;
  }
}

/** The value of a template: text and numbers are escaped, `undefined` and `false` are left out. */
export type Content =
  Html | string | number | undefined | false | readonly Content[];

const PLAIN = /^[\w /.:*,()-]*$/;

/** Returns the parts of a template without the indentation of the source, which would be half of a large page. */
const compact = memoize((parts: TemplateStringsArray) =>
  parts.map(part => part.replace(/\s*\n\s*/g, '\n')),
);

/** Makes HTML of a template. Values belong between tags, or between double quotes; never into a tag's name, a style or a script. */
export function html(parts: TemplateStringsArray, ...values: Content[]): Html {
  const [first, ...others] = compact(parts);
  return new Html(
    others.reduce((text, part, i) => text + toText(values[i]) + part, first),
  );
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
  const text = String(content);
  // Most of a large page is such text.
  return PLAIN.test(text) ? text : escape(text.replace(UNPRINTABLE, '\uFFFD'));
}
