import type { Checks } from '../chromium/Checks';
import { sleep, until } from '../../http';
import type { Engine, Tab } from './Browser';
import { signIn, World } from './World';

/** In this time, a page that the browser shows runs its scripts. */
const SCRIPT_MS = 2_000;

const PAGE = '/api/hello/page';
const REPORT = '/api/hello/report';

/** A document whose script says to the backend that it runs. It is HTML and XML. */
const scriptOf = (name: string) =>
  `<html xmlns="http://www.w3.org/1999/xhtml"><head><title>x</title><script>fetch("${REPORT}?${encodeURIComponent(name)}")</script></head><body>Secret</body></html>`;
const svgOf = (name: string) =>
  `<svg xmlns="http://www.w3.org/2000/svg"><script>fetch("${REPORT}?${encodeURIComponent(name)}")</script></svg>`;

/** Types of answers, with and without script. */
const TYPES = [
  'text/html',
  'text/html; charset=utf-8',
  'application/xhtml+xml',
  'image/svg+xml',
  'text/xml',
  'application/xml',
  'application/rss+xml',
  'application/atom+xml',
  'application/mathml+xml',
  'application/rdf+xml',
  'application/xslt+xml',
  'application/vnd.mozilla.xul+xml',
  'text/xsl',
  'multipart/x-mixed-replace; boundary=x',
  'multipart/related',
  'message/rfc822',
  'application/x-unknown',
  'unknown/unknown',
  '*/*',
  '',
  'text/plain',
  'text/css',
  'text/csv',
  'text/markdown',
  'text/javascript',
  'text/ecmascript',
  'text/calendar',
  'text/vcard',
  'text/vtt',
  'text/yaml',
  'text/event-stream',
  'text/x-component',
  'application/javascript',
  'application/json',
  'application/ld+json',
  'application/octet-stream',
  'application/pdf',
  'application/wasm',
  'application/x-ndjson',
  'application/yaml',
  'application/zip',
  'audio/mpeg',
  'font/woff2',
  'image/gif',
  'image/png',
  'video/mp4',
];

/** Checks that no script runs in what a plugin answers to the cookie, whatever its type. */
export async function checkSandbox(tab: Tab, checks: Checks, world: World) {
  const reports = new Set<string>();
  world.serve((req, res) => {
    if (req.originalUrl.startsWith(REPORT)) {
      reports.add(decodeURIComponent(req.originalUrl.split('?')[1]));
      res.end();
      return;
    }
    const type = String(req.query.type);
    const document = /svg/.test(type) ? svgOf(type) : scriptOf(type);
    const part = `--x\r\nContent-Type: text/html\r\n\r\n${document}\r\n--x--`;
    if (type) {
      res.setHeader('Content-Type', type);
    }
    res.end(/^multipart|rfc822/.test(type) ? part : document);
  });
  const typesThatRun = async () => {
    reports.clear();
    const frames = TYPES.map(
      type =>
        `<iframe src="${PAGE}?type=${encodeURIComponent(type)}"></iframe>`,
    );
    world.show(frames.join(''));
    await tab.open(`${world.url}/`);
    await sleep(SCRIPT_MS);
    return TYPES.filter(type => reports.has(type));
  };
  await signIn(tab, world);
  checks.equal(
    `the types of ${TYPES.length} in which a script runs`,
    await typesThatRun(),
    [],
  );
  world.setRulesOff('answers');
  const control = await typesThatRun();
  world.setRulesOff('none');
  checks.that(
    'control: without the sandbox',
    ['text/html', 'application/xhtml+xml', 'image/svg+xml', 'text/xml'].every(
      type => control.includes(type),
    ),
    control,
  );
}

/** Checks that a page which the browser has stored stays sandboxed when the server says that it has not changed. */
export async function checkNotModified(tab: Tab, checks: Checks, world: World) {
  const seen: string[] = [];
  world.serve((req, res) => {
    if (req.originalUrl.startsWith(REPORT)) {
      seen.push('ran');
      res.end();
      return;
    }
    res.setHeader('Cache-Control', 'no-cache');
    res.setHeader('ETag', '"1"');
    res.once('finish', () => seen.push(String(res.statusCode)));
    if (req.headers['if-none-match'] === '"1"') {
      res.status(304).end();
    } else {
      res.type('html').send(scriptOf('page'));
    }
  });
  const openTwice = async (page: string) => {
    seen.length = 0;
    for (let i = 0; i < 2; i++) {
      await tab.open(world.url + page);
      await sleep(SCRIPT_MS / 2);
      await tab.open(`${world.url}/`);
    }
    return [...seen];
  };
  await signIn(tab, world);
  checks.equal('a page, opened twice', await openTwice(`${PAGE}?1`), [
    '200',
    '304',
  ]);
  world.setRulesOff('answers');
  const control = await openTwice(`${PAGE}?2`);
  world.setRulesOff('none');
  checks.equal('control: without the sandbox', control, [
    '200',
    'ran',
    '304',
    'ran',
  ]);
}

/** What stores an answer, and what then runs it. */
const STORE = {
  image: 'new Image().src = to;',
  fetch: 'fetch(to, { mode: "no-cors" });',
  frame:
    'document.body.append(Object.assign(document.createElement("iframe"), { src: to }));',
};
const RUN = {
  script:
    'document.head.append(Object.assign(document.createElement("script"), { src: to }));',
  'import()': 'import(to).catch(() => {});',
  worker: 'new Worker(to);',
};

/** Checks that no code runs from the browser's cache, where a request of another kind has stored it. */
export async function checkCache(tab: Tab, checks: Checks, world: World) {
  const reports = new Set<string>();
  world.serve((req, res) => {
    const [path, query] = req.originalUrl.split('?');
    if (path === REPORT) {
      reports.add(decodeURIComponent(query));
      res.end();
      return;
    }
    res.setHeader('Cache-Control', 'max-age=600');
    res.type('js').send(`fetch("${REPORT}?${query}")`);
  });
  const pairs = Object.entries(STORE).flatMap(([first, store]) =>
    Object.entries(RUN).map(([second, run]) => ({
      title: `${first}, then ${second}`,
      ...{ store, run },
    })),
  );
  const pairsThatRan = async (round: number) => {
    reports.clear();
    for (const step of ['store', 'run'] as const) {
      const scripts = pairs.map(pair => {
        const to = `${world.url}/api/hello/code${round}?${encodeURIComponent(pair.title)}`;
        return `<script>{ const to = ${JSON.stringify(to)}; ${pair[step]} }</script>`;
      });
      world.show(scripts.join(''));
      await tab.open(`${world.url}/?${step}`);
      await sleep(SCRIPT_MS);
    }
    return pairs.map(({ title }) => title).filter(title => reports.has(title));
  };
  await signIn(tab, world);
  checks.equal('what runs from the cache', await pairsThatRan(1), []);
  // The gate still refuses code that is not in the cache.
  world.setRulesOff('answers');
  const control = await pairsThatRan(2);
  world.setRulesOff('none');
  checks.that(
    'control: the answers have no Vary',
    control.includes('fetch, then script'),
    control,
  );
}

/**
 * Returns the check of what the browser shows after the sign-out, by Back or Forward.
 *
 * @param isControl - whether the answers lack what the gate sets for browsers
 */
export const afterSignOut =
  (direction: 'back' | 'forward', isControl: boolean) =>
  async (tab: Tab, checks: Checks, world: World, engine: Engine) => {
    const { url, serve, setRulesOff } = world;
    const goTo = async (way: 'back' | 'forward', address: string) => {
      // Puppeteer would wait for a page that is not loaded again.
      await tab.evaluate(name => history[name](), way).catch(() => {});
      await until(
        'the page',
        10_000,
        async () => (await tab.url()) === address,
      );
      await sleep(SCRIPT_MS / 4);
    };
    serve((_req, res) => void res.type('html').send(scriptOf('page')));
    // Two sign-ins of a guest within a second are one session.
    await sleep(1_100);
    await signIn(tab, world);
    setRulesOff(isControl ? 'answers' : 'none');
    await tab.open(url + PAGE);
    if (direction === 'back') {
      await tab.open(`${url}/`);
    } else {
      await goTo('back', `${url}/`);
    }
    await tab.evaluate(async () => {
      const path = '/api/hello/.backstage/auth/v1/cookie';
      await fetch(path, { method: 'DELETE' });
    });
    await goTo(direction, url + PAGE);
    const text = await tab.evaluate(() => document.body.innerText);
    const isKept = engine === 'webkit' && url.startsWith('http:');
    checks.equal(
      isControl ? 'control: without no-store' : 'with the gate',
      /Missing credentials|Secret/.exec(text)?.[0],
      isControl || isKept ? 'Secret' : 'Missing credentials',
    );
  };
