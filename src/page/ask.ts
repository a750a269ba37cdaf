import { Html, html } from './html';
import { note, section } from './parts';

/** What the form of the page has asked. */
export interface Question {
  request: string;
  subject: string;
}

/** The answer: lines of text, or what is wrong with the question. */
export type Explained = { lines: string[] } | { error: string };

/** Renders the form, and the answer if something was asked. */
export function renderAsk(
  { request, subject }: Question,
  explained: Explained | undefined,
): Html {
  return section(
    'ask',
    'Ask',
    html`<p>
        What comes of a request without a credential, or with the token of a
        subject? No request is made.
      </p>
      <form method="get" action="#ask">
        <label
          >Request<input
            name="request"
            value="${request}"
            placeholder="POST /api/events/http/github"
            maxlength="8000"
            autocomplete="off"
            spellcheck="false"
            required
        /></label>
        <label
          >Subject of an external token, or empty<input
            name="subject"
            value="${subject}"
            maxlength="1000"
            autocomplete="off"
            spellcheck="false"
        /></label>
        <button>Explain</button>
      </form>`,
    explained &&
      ('error' in explained
        ? note('open', explained.error)
        : html`<pre>
${explained.lines.map(line => [line, html`<br />`])}</pre>`),
  );
}
