import type { Checks } from '../chromium/Checks';
import { sleep, until as waitUntil } from '../../http';
import type { Tab } from './Browser';
import type { World } from './World';

/** How the frontend signs out: as it is, by the function of docs/sign-out.md, or as an app that is `protected`. */
const WAYS = ['stock', 'documented', 'protected'] as const;
type Way = (typeof WAYS)[number];

type Check = (what: string, seen: unknown, expected: unknown) => void;
type ClassesPage = ReturnType<typeof createPage>;

/** By then, `SignalClient` has connected again, which it does after five seconds. */
const RECONNECTED_MS = 6_500;

/** The result of calls of each method and of an image. */
const OPEN = { calls: [200], image: 'shown' };
const CLOSED = { calls: [401], image: 'broken' };

/**
 * Returns the check of a frontend of Backstage's own packages, from the backend's origin and from another one.
 *
 * @param script - the bundle of classes/frontend.tsx
 * @param hasGate - false for the control, a backend without the gate
 */
export const checkClasses =
  (script: string, hasGate: boolean) =>
  async (tab: Tab, checks: Checks, world: World) => {
    const { elsewhere, show, url } = world;
    for (const origin of hasGate ? [url, elsewhere.origin] : [url]) {
      const page = createPage(tab, world);
      const open = async (way: Way) => {
        const body = `<meta name="backstage-app-mode" content="${way}">
          <div id="root" data-backend="${url}" data-way="${way}"></div><script>${script}</script>`;
        show(body);
        elsewhere.show({ body });
        // Two sign-ins of a guest within a second are one session.
        await sleep(1_100);
        await tab.open(`${origin}/`);
      };
      const check: Check = (what, seen, expected) =>
        checks.equal(
          `${hasGate ? '' : 'control: without the gate, '}${origin}, ${what}`,
          seen,
          expected,
        );

      await open('stock');
      const opens = origin === url || !hasGate;
      await checkSignedIn(page, check, hasGate ? CLOSED : OPEN, opens);
      await checkEnded(page, check, url, hasGate);
      for (const way of WAYS) {
        await open(way);
        await page.signIn();
        check(`${way}, signed in`, await page.showInProvider(), 'shown');
        const token = await page.token();
        await page.signOut();
        check(
          `${way}, after the sign-out`,
          await page.seenWith(token),
          hasGate && way !== 'stock' ? CLOSED : OPEN,
        );
      }
    }
  };

/**
 * Checks what the classes send before and after the sign-in.
 *
 * @param signedOut - what a user sees who is signed out
 * @param opens - whether an image is shown after calls of `fetchApi`
 */
async function checkSignedIn(
  page: ClassesPage,
  check: Check,
  signedOut: typeof OPEN,
  opens: boolean,
) {
  check('signed out', await page.seenWith(), signedOut);
  await page.signIn();
  check('calls of each method', await page.call(), [200]);
  const image = opens ? 'shown' : 'broken';
  check('an image after these calls', await page.showImage(), image);
  check(
    'an image in CookieAuthRefreshProvider',
    await page.showInProvider(),
    'shown',
  );
  check('an image after it', await page.showImage(), 'shown');
  check('a message of SignalClient', await page.nextSignal(), 'string');
  check('its WebSocket', await page.sockets(), ['open']);
}

/** Checks what the classes do after another device has ended the session. */
async function checkEnded(
  page: ClassesPage,
  check: Check,
  url: string,
  hasGate: boolean,
) {
  await fetch(`${url}/api/hello/.backstage/auth/v1/cookie`, {
    method: 'DELETE',
    headers: { Authorization: `Bearer ${await page.token()}` },
  });
  check(
    'the session was ended elsewhere',
    { calls: await page.call(), image: await page.showImage() },
    hasGate ? CLOSED : OPEN,
  );
  check(
    'CookieAuthRefreshProvider, then',
    await page.showInProvider(),
    hasGate ? 'its error' : 'shown',
  );
  await sleep(RECONNECTED_MS);
  check(
    'the WebSockets of SignalClient, then',
    await page.sockets(),
    hasGate ? ['open closed', 'error closed'] : ['open'],
  );
}

/** Returns what a user and the classes do on the page. */
function createPage(tab: Tab, { addressOf }: World) {
  /** Waits for the sign-in page, or for the frontend behind it. */
  const until = (selector: string) =>
    waitUntil(selector, 10_000, () =>
      tab
        .evaluate(wanted => document.querySelector(wanted) !== null, selector)
        // The page leads to another one.
        .catch(() => false),
    );
  const page = {
    async signIn() {
      // The frontend signs in by itself again, unless its user has signed out.
      await until('button, #frontend');
      if (await tab.evaluate(() => !document.querySelector('#frontend'))) {
        await tab.click('button');
        await until('#frontend');
      }
    },
    /** Resolves once the sign-in page is loaded again. */
    async signOut() {
      await tab.evaluate(() => {
        void (window as any).frontend.identityApi.signOut();
      });
      await until('button');
    },
    token: (): Promise<string> =>
      tab.evaluate(
        async () =>
          (await (window as any).frontend.identityApi.getCredentials()).token,
      ),
    sockets: (): Promise<string[]> =>
      tab.evaluate(() => (window as any).frontend.sockets),
    /** Returns the statuses of calls with the frontend's `fetchApi`, or without it, with a token or none. */
    call: (bearer?: { token?: string }): Promise<number[]> =>
      tab.evaluate(
        async (addresses, given) => {
          const statuses = new Set<number>();
          for (const method of 'GET HEAD POST PUT PATCH DELETE'.split(' ')) {
            const hasBody = !/^(GET|HEAD)$/.test(method);
            const headers: Record<string, string> = {
              ...(hasBody && { 'Content-Type': 'application/json' }),
              ...(given?.token && { Authorization: `Bearer ${given.token}` }),
            };
            const init = { method, headers, body: hasBody ? '{}' : undefined };
            const { status } = given
              ? await fetch(addresses.url, { ...init, credentials: 'omit' })
              : await (window as any).frontend.fetchApi.fetch(
                  addresses.plugin,
                  init,
                );
            statuses.add(status);
          }
          return [...statuses];
        },
        {
          url: addressOf('call'),
          plugin: addressOf('call', '').replace('/api/', 'plugin://'),
        },
        bearer ?? null,
      ),
    /** Shows an image by itself. */
    showImage: (): Promise<string> =>
      tab.evaluate(
        address =>
          new Promise<string>(resolve => {
            const image = new Image();
            image.onload = () => resolve('shown');
            image.onerror = () => resolve('broken');
            image.src = address;
          }),
        addressOf('image'),
      ),
    /** Mounts `CookieAuthRefreshProvider` with an image in it. */
    showInProvider: (): Promise<string> =>
      tab.evaluate(async address => {
        const pause = () => new Promise(resolve => setTimeout(resolve, 50));
        const { show } = (window as any).frontend;
        show(undefined);
        await pause();
        show(address);
        for (let i = 0; i < 100; i++) {
          await pause();
          const image = document.querySelector<HTMLImageElement>('#image');
          if (image?.complete) {
            return image.naturalWidth > 0 ? 'shown' : 'broken';
          }
          if (document.body.innerText.includes('401')) {
            return 'its error';
          }
        }
        return 'nothing';
      }, addressOf('provider')),
    /** Subscribes to the signals of dev/clockPlugin.ts, and returns the type of what comes. */
    nextSignal: (): Promise<string> =>
      tab.evaluate(
        () =>
          new Promise<string>(resolve => {
            const { signalApi } = (window as any).frontend;
            signalApi.subscribe('clock', (message: { time: string }) =>
              resolve(typeof message.time),
            );
          }),
      ),
    /** Returns what a page sees without the frontend: calls with a token or none, and an image. */
    seenWith: async (token?: string) => ({
      calls: await page.call({ token }),
      image: await page.showImage(),
    }),
  };
  return page;
}
