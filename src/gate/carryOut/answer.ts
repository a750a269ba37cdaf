import express, { Response } from 'express';
import onHeaders from 'on-headers';
import { isCookie } from '../Decision';
import type { GateAnswer, Judgement } from '../judge/judge';
import type { Refusal } from '../Refusal';
import { isRead, PAGE_PATH } from '../read/requestLine';
import { canRunScript, isPageDestination } from '../read/browsers';
import { ExpressRequest, GateRequest, trustOf } from '../read/GateRequest';
import { isUser } from '../verify/verifyToken';

// A directive of RFC 9111, section 5.2; its argument may be quoted, with commas in it.
const DIRECTIVE = /(?:[^,"]|"(?:[^"\\]|\\.)*"?)+/g;

// Akamai, Fastly and others (the W3C's note "Edge Architecture"), nginx.
const OLDER_CACHE_CONTROLS: readonly string[] = [
  'edge-control',
  'surrogate-control',
  'x-accel-expires',
];

/** Clears the gate's cookies of a request with its answer. */
export function clearCookie({ answer, req, services }: GateRequest): void {
  answer.cleared = services.cookie?.clear(req.headers.cookie) ?? [];
}

/**
 * Restricts what browsers and caches may do with an answer. On a public path (`none`) only the sandbox applies.
 *
 * - With a cookie, no shared cache may keep the answer. `Vary: Cookie` is not needed then, and would make the browser's own cache
 *   useless, as the cookie changes with each sign-in.
 * - With a cookie, the browser does not store what it shows as a page, unless the handler sets `Cache-Control` or the plugin trusts
 *   the path. "Back" would otherwise show the page after the sign-out.
 * - An answer to one kind of GET, such as that of an image, is not used from the browser's cache for another kind, unless its
 *   path is trusted. The gate refuses the cookie for a script, and the browser would run a stored answer without a request.
 * - An answer that can run script is sandboxed, unless its path is trusted. Navigations send no `Authorization`: without the
 *   cookie nobody could open a plugin's answer as a page, so its script must not act as the user. The answer to a bearer token is
 *   sandboxed too, since the browser may show it from its cache without another request. The sandbox policy is added to any other
 *   policies.
 */
export function restrictAnswer(
  { answer, req }: GateRequest,
  { credential, reason, verified }: Judgement,
): void {
  if (reason !== 'allow-rule' && !(verified && isUser(verified.credentials))) {
    return;
  }
  answer.restrictedFor = credential;
  answer.isPrivate = isCookie(credential);
  // Handlers change the headers of the request: the proxy plugin removes this one.
  answer.isPage = isCookie(credential) && isPageDestination(req);
}

/**
 * Sets the headers of an answer when it is written, since handlers and proxies replace headers late. Nothing else in the gate
 * changes the answer of a handler. If the gate calls this twice for an answer, the last call decides when the headers are set.
 */
export function setAnswerHeaders(request: ExpressRequest): void {
  const { answer, res } = request;
  if (
    !answer.cleared.length &&
    !answer.issued?.setCookies.length &&
    answer.restrictedFor === undefined &&
    !answer.isPrivate
  ) {
    return;
  }
  onHeaders(res, () => {
    const { cleared, isPage, isPrivate, isSet, issued, restrictedFor } = answer;
    if (isSet) {
      return;
    }
    answer.isSet = true;
    if (cleared.length) {
      addHeader(res, 'Set-Cookie', cleared);
      forbidStoring(res);
    }
    if (issued?.setCookies.length && isSuccess(res) && !issued.isRevoked()) {
      addHeader(res, 'Set-Cookie', issued.setCookies);
      forbidStoring(res);
      issued.onSent();
    }
    const trust = trustOf(request);
    if (isPrivate) {
      makePrivate(res, isPage && trust !== 'plugin');
    }
    if (restrictedFor !== undefined && !trust) {
      // A browser's cache reuses only answers to GET and HEAD for what a page embeds.
      if (restrictedFor !== 'none' && isRead(request.req.method)) {
        // A listener in front of Express answers by Node's response, which has no such method.
        express.response.vary.call(res, 'Sec-Fetch-Dest');
      }
      sandbox(request);
    }
  });
}

/** Sets the headers of the answer to a refusal. Its status and body follow from the refusal's `error`. */
export function setRefusalHeaders(
  res: Response,
  refusal: Refusal,
  decisionId: string,
  resourceMetadata?: string,
): void {
  if (!res.headersSent) {
    const headers = refusal.headersFor(decisionId, resourceMetadata);
    for (const [name, value] of Object.entries(headers)) {
      res.setHeader(name, value);
    }
  }
}

/** Answers a request in place of a handler. */
export function sendAnswer(res: Response, { status, body }: GateAnswer): void {
  res.status(status);
  if (body) {
    res.json(body);
  } else {
    res.end();
  }
}

/** Returns a function that takes back the cookies which an adopter's issuer sets from now on. */
export function keepCookies(res: Response): () => void {
  const own = res.getHeader('Set-Cookie');
  // The issuer may append to the array itself.
  const before = Array.isArray(own) ? [...own] : own;
  return () => {
    if (!res.headersSent) {
      res.removeHeader('Set-Cookie');
      if (before !== undefined) {
        res.setHeader('Set-Cookie', before);
      }
    }
  };
}

/** Adds values to a header. Node's own `appendHeader` would change the array that a handler may use for every answer. */
function addHeader(res: Response, name: string, values: string[]): void {
  const own = [res.getHeader(name) ?? []].flat().map(String);
  const all = [...own, ...values];
  res.setHeader(name, all.length === 1 ? all[0] : all);
}

/** A failure sets no cookie, and neither does a 304: browsers may ignore it there. */
function isSuccess({ statusCode }: Response): boolean {
  return statusCode < 400 && statusCode !== 304;
}

/**
 * Overrides the handler's `Cache-Control`: a shared cache would send this user's cookie to other users. `no-transform` stays,
 * since event streams use it to keep the compression from holding their events back.
 */
function forbidStoring(res: Response): void {
  const isNoTransform = /\bno-transform\b/i.test(
    String(res.getHeader('Cache-Control')),
  );
  setCacheControl(res, isNoTransform ? 'no-store, no-transform' : 'no-store');
}

function makePrivate(res: Response, isPage: boolean): void {
  const own = [res.getHeader('Cache-Control') ?? []].flat().join(', ');
  const isUnstored = isPage && own === '';
  setCacheControl(res, isUnstored ? 'no-store' : toPrivateCacheControl(own));
}

/**
 * Returns a `Cache-Control` that keeps an answer out of shared caches: with `private`, and without directives for shared caches.
 * A value that has `private` or `no-store` already is returned unchanged. Without any value, a shared cache may keep a 200 by its
 * own heuristics (RFC 9111, section 4.2.2); only `Authorization` in the request prevents that (section 3.5).
 */
function toPrivateCacheControl(cacheControl: string): string {
  const directives = (cacheControl.match(DIRECTIVE) ?? [])
    .map(directive => directive.trim())
    .filter(Boolean);
  // `private="Set-Cookie"` keeps only that header out of shared caches.
  if (directives.some(each => /^(private|no-store)$/i.test(each))) {
    return cacheControl;
  }
  const kept = directives.filter(
    each => !/^(public|private|s-maxage)\s*(=|$)/i.test(each),
  );
  return ['private', ...kept].join(', ');
}

/**
 * Sets `Cache-Control`, and removes the headers that some shared caches prefer to it: `CDN-Cache-Control`, those of single caches
 * such as `Cloudflare-CDN-Cache-Control`, whose names end alike (RFC 9213, section 2), and older ones.
 */
function setCacheControl(res: Response, value: string): void {
  res.setHeader('Cache-Control', value);
  for (const name of res.getHeaderNames()) {
    if (
      name.endsWith('-cache-control') ||
      OLDER_CACHE_CONTROLS.includes(name)
    ) {
      res.removeHeader(name);
    }
  }
}

function sandbox({ path, pluginId, res }: ExpressRequest): void {
  const { statusCode } = res;
  const isPolicyPage = pluginId === 'auth' && path === PAGE_PATH;
  if (statusCode === 304) {
    // Remove the policy, whatever the type: browsers replace the policies of the stored response by those of a 304, and keep the
    // type that they have stored.
    res.removeHeader('Content-Security-Policy');
  } else if (
    statusCode !== 204 &&
    // The page of the policy has a sandbox of its own, from which its form can be sent.
    !(isPolicyPage && statusCode === 200) &&
    canRunScript(res.getHeader('Content-Type'))
  ) {
    addHeader(res, 'Content-Security-Policy', ['sandbox']);
  }
}
