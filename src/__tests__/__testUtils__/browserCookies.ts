interface StoredCookie {
  name: string;
  value: string;
  domain: string;
  isHostOnly: boolean;
  path: string;
  isSecure: boolean;
}

// RFC 6265, section 6.1: browsers store at least this many bytes of one cookie, its attributes included. Current browsers store
// more.
const MAX_COOKIE_BYTES = 4096;

const PREFIX_RULES: [
  prefix: string,
  holds: (cookie: StoredCookie) => boolean,
][] = [
  ['__secure-', ({ isSecure }) => isSecure],
  [
    '__host-',
    ({ isSecure, isHostOnly, path }) => isSecure && isHostOnly && path === '/',
  ],
];

/**
 * A model of a browser's cookies (RFC 6265, section 5, with the name prefixes of its successor). The model is as strict as the
 * standards allow: it drops every cookie that browsers need not store.
 */
export class BrowserCookies {
  // Insertion order is creation order, which a replaced cookie keeps.
  readonly #stored = new Map<string, StoredCookie>();

  constructor(private readonly now: () => number = Date.now) {}

  /** Stores the `Set-Cookie` headers of one answer, in order. */
  store(url: string, setCookies: string[]): void {
    setCookies.forEach(setCookie => this.#storeOne(new URL(url), setCookie));
  }

  /** Returns the `Cookie` header of a request; `undefined` if no cookie applies. */
  headerFor(url: string): string | undefined {
    const { hostname, pathname, protocol } = new URL(url);
    const sent = [...this.#stored.values()]
      .filter(
        ({ domain, isHostOnly, path, isSecure }) =>
          (isHostOnly ? hostname === domain : isWithin(hostname, domain)) &&
          (pathname === path ||
            pathname.startsWith(path.endsWith('/') ? path : `${path}/`)) &&
          (!isSecure || protocol === 'https:'),
      )
      // `sort` keeps the order of creation for equal lengths.
      .sort((a, b) => b.path.length - a.path.length)
      .map(({ name, value }) => (name ? `${name}=${value}` : value));
    return sent.length > 0 ? sent.join('; ') : undefined;
  }

  /** Sends a request with the cookies that apply, and stores those of the answer. */
  async fetch(url: string, init: RequestInit = {}): Promise<Response> {
    const cookie = this.headerFor(url);
    const headers = { ...init.headers, ...(cookie && { cookie }) };
    const response = await fetch(url, { ...init, headers });
    this.store(url, response.headers.getSetCookie());
    return response;
  }

  #storeOne({ hostname, pathname, protocol }: URL, setCookie: string): void {
    if (setCookie.length > MAX_COOKIE_BYTES) {
      return;
    }
    const [pair, ...rest] = setCookie.split(';');
    const [name, value] = pair.includes('=') ? cutAt(pair, '=') : ['', pair];
    const attributes = new Map(
      rest.map(attribute => {
        const [key, text] = cutAt(attribute, '=');
        return [key.trim().toLowerCase(), text.trim()];
      }),
    );
    const asked = (attributes.get('domain') ?? '').replace(/^\./, '');
    const domain = asked.toLowerCase() || hostname;
    const askedPath = attributes.get('path') ?? '';
    const cookie: StoredCookie = {
      name: name.trim(),
      value: value.trim(),
      domain,
      isHostOnly: !asked,
      path: askedPath.startsWith('/') ? askedPath : defaultPath(pathname),
      isSecure: attributes.has('secure'),
    };
    if (
      !isWithin(hostname, domain) ||
      (cookie.isSecure && protocol !== 'https:') ||
      PREFIX_RULES.some(
        ([prefix, holds]) =>
          cookie.name.toLowerCase().startsWith(prefix) && !holds(cookie),
      )
    ) {
      return;
    }
    const key = JSON.stringify([
      cookie.name,
      domain,
      cookie.isHostOnly,
      cookie.path,
    ]);
    if (this.#hasExpired(attributes)) {
      this.#stored.delete(key);
    } else {
      this.#stored.set(key, cookie);
    }
  }

  #hasExpired(attributes: Map<string, string>): boolean {
    const maxAge = attributes.get('max-age');
    if (maxAge !== undefined && /^-?\d+$/.test(maxAge)) {
      return Number(maxAge) <= 0;
    }
    const expires = Date.parse(attributes.get('expires') ?? '');
    return expires <= this.now();
  }
}

function cutAt(text: string, separator: string): [string, string] {
  const index = text.indexOf(separator);
  return index === -1
    ? [text, '']
    : [text.slice(0, index), text.slice(index + 1)];
}

function isWithin(hostname: string, domain: string): boolean {
  return hostname === domain || hostname.endsWith(`.${domain}`);
}

function defaultPath(pathname: string): string {
  return pathname.slice(0, pathname.lastIndexOf('/')) || '/';
}
