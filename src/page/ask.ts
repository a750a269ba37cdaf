import { Explained, MAX_REQUEST_LENGTH } from '../observability/explainInWords';
import { Html, html } from './html';
import { note, preformatted, section } from './parts';

/** What the form of the page has asked. */
export interface Question {
  request: string;
  subject: string;
}

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
            maxlength="${MAX_REQUEST_LENGTH}"
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
        : preformatted(explained.lines)),
  );
}
