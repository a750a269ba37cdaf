import { escape } from 'lodash';

/** HTML as text. Only {@link html} makes it, so that each text in it is escaped. */
export class Html {
  constructor(private readonly text: string) {}

  toString(): string {
    return this.text;
  }
}

/** What a template may hold: text and numbers are escaped, `undefined` and `false` are left out. */
export type Content =
  Html | string | number | undefined | false | readonly Content[];

// They could change the order in which a browser shows what follows, or stay invisible.
const CONTROLS = /[\p{Cc}\p{Cf}\u2028\u2029]/gu;

/** Makes HTML of a template. Values belong between tags, or between double quotes; never into a tag's name, a style or a script. */
export function html(parts: TemplateStringsArray, ...values: Content[]): Html {
  return new Html(String.raw({ raw: parts }, ...values.map(toText)));
}

function toText(content: Content): string {
  if (content instanceof Html) {
    return content.toString();
  }
  if (Array.isArray(content)) {
    return content.map(toText).join('');
  }
  return content === undefined || content === false
    ? ''
    : escape(String(content).replace(CONTROLS, '\uFFFD'));
}
