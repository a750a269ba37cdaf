import type { Response } from 'express';
import { createDocument, ERROR_POLICY, PAGE_HEADERS } from './document';
import { html } from './html';

/** A browser that opens the page of the policy and may not see it. */
export interface PageError {
  status: number;
  message: string;
  /** The id of the refusal, if the gate has refused the request. */
  id?: string;
  /** The address of the frontend, where users sign in. */
  appUrl?: string;
}

/** Answers an error of the page of the policy as HTML, in words that say how to come in. */
export function answerError(res: Response, error: PageError): void {
  const { status, message, id, appUrl } = error;
  const linkTo = (path: string, text: string) =>
    /^https?:/i.test(appUrl ?? '')
      ? html`<a href="${appUrl!.replace(/\/+$/, '')}${path}">${text}</a>`
      : text;
  const app = linkTo('', 'Backstage');
  // TechDocs calls the cookie endpoint for each entity, whether there is one or not, and the list of documents does not.
  const docs = linkTo('/docs/default/component/any', 'a page of TechDocs');
  const [title, remedy] =
    status === 401
      ? [
          'Sign in to Backstage first',
          html`This page is for operators and readers of the API gate. Sign in
          to ${app} in this browser, wait until it has loaded, and load this
          page again. If Backstage has another address than this page, open
          ${docs} there first, even if nothing is documented: plain calls to
          another address set no cookie.`,
        ]
      : [
          status === 403
            ? 'This page is for operators and readers'
            : 'This page can not be shown now',
          [
            `${message}.`,
            status === 403 &&
              ' Ask those who run this Backstage to add you, or a group of yours, to auth.apiGate.readers.',
          ],
        ];
  const page = createDocument(
    title,
    html`<main>
      <section>
        <h1>${title}</h1>
        <p>${remedy}</p>
        ${id !== undefined && html`<p class="muted">Id of this refusal: <code>${id}</code></p>`}
      </section>
    </main>`,
  );
  res.writeHead(status, {
    ...PAGE_HEADERS,
    'Content-Security-Policy': ERROR_POLICY,
    'Content-Length': Buffer.byteLength(page),
  });
  res.end(page);
}
