import type { Config } from '@backstage/config';
import type { Response } from 'express';
import { CONFIG_KEY } from '../../settings/read/readApiGateConfig';
import { createDocument, PAGE_HEADERS } from './document';
import { Html, html } from './html';

/** A browser that opens the page of the policy and may not see it. */
export interface PageError {
  status: number;
  message: string;
  /** The id of the refusal, if the gate has refused the request. */
  id?: string;
}

/**
 * Creates the answer to an error of the page of the policy: HTML, in words that say how to come in. Settings are read here only: a
 * wrong value that a reload brings must not become an error of a request.
 */
export function createPageErrorAnswer(config: Config) {
  const signIn = describeSignIn(config);
  return (res: Response, { id, message, status }: PageError): void => {
    // The gate itself refuses for other reasons than who the user is, such as a request from a page of another site.
    const refused =
      status === 403 && id === undefined
        ? [
            'This page is for operators',
            `${message}. Ask those who run this Backstage to add you, or a group of yours, to auth.apiGate.operators. With the permission auth.api-gate.revoke denied to you, you can read this page and end no sessions.`,
          ]
        : ['This page can not be shown now', `${message}.`];
    const [title, remedy] = status === 401 ? signIn : refused;
    const page = `${createDocument(
      title,
      html`<main>
        <section>
          <h1>${title}</h1>
          <p>${remedy}</p>
          ${id !== undefined && html`<p class="muted">Id of this refusal: <code>${id}</code></p>`}
        </section>
      </main>`,
    )}`;
    res.writeHead(status, {
      ...PAGE_HEADERS,
      'Content-Length': Buffer.byteLength(page),
    });
    res.end(page);
  };
}

function describeSignIn(config: Config): [title: string, remedy: Html] {
  if (config.getOptionalBoolean(`${CONFIG_KEY}.cookie.enabled`) === false) {
    return [
      'This page needs a token',
      html`A browser can not sign in here, since auth.apiGate.cookie.enabled is
      false. A client that sends the token of an operator in Authorization gets
      this page.`,
    ];
  }
  const appUrl = config.getOptionalString('app.baseUrl') ?? '';
  const linkTo = (path: string, text: string) =>
    /^https?:/i.test(appUrl)
      ? html`<a href="${appUrl.replace(/\/+$/, '')}${path}">${text}</a>`
      : text;
  const app = linkTo('', 'Backstage');
  // TechDocs calls the cookie endpoint for each entity, whether there is one or not, and the list of documents does not.
  const docs = linkTo('/docs/default/component/any', 'a page of TechDocs');
  return [
    'Sign in to Backstage first',
    html`This page is for operators of the API gate. Sign in to ${app} in this
    browser, wait until it has loaded, and load this page again. If Backstage
    has another address than this page, open ${docs} there first, even if
    nothing is documented: plain calls to another address set no cookie. If you
    are signed in, an operator may have signed you out for some time.`,
  ];
}
