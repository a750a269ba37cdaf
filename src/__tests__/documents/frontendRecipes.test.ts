import { BrowserCookies } from '../__testUtils__/browserCookies';
import { compileRecipe } from '../__testUtils__/compileRecipe';
import { blocksAfter } from '../__testUtils__/documents';
import { recordingPlugin } from '../__testUtils__/recordingPlugin';
import { RunningBackend, startBackend } from '../__testUtils__/startBackend';

jest.setTimeout(60_000);

const [call] = blocksAfter(
  'docs/browsers-and-cookies.md',
  'A frontend on another origin',
  'ts',
);
const [signOut] = blocksAfter(
  'docs/sign-out.md',
  "A frontend's own sign-out",
  'ts',
);

// Before the backend starts: the compiler keeps this process from its sockets for seconds.
const callRecipe = compileRecipe(`
import type { DiscoveryApi, FetchApi } from '@backstage/core-plugin-api';
export async function run(discoveryApi: DiscoveryApi, fetchApi: FetchApi) {
  ${call}
}`);
const signOutRecipe = compileRecipe(signOut);

/** Signs a guest in, in a browser with cookies. Returns the APIs of a frontend there. */
async function openFrontend(backend: RunningBackend) {
  const cookies = new BrowserCookies();
  const withCookies = cookies.fetch.bind(cookies);
  const signedIn = await withCookies(`${backend.url}/api/auth/guest/refresh`);
  const { token } = (await signedIn.json()).backstageIdentity;
  const bearer = { Authorization: `Bearer ${token}` };
  return {
    cookies,
    withCookies,
    bearer,
    discoveryApi: {
      getBaseUrl: async (id: string) => `${backend.url}/api/${id}`,
    },
    fetchApi: {
      // Backstage's `fetch` adds the token, and cookies if a call requests them.
      fetch: (url: string, init: RequestInit = {}) =>
        (init.credentials === 'include' ? withCookies : fetch)(url, {
          ...init,
          headers: { ...init.headers, ...bearer },
        }),
    },
  };
}

let backend: RunningBackend;
beforeAll(async () => {
  backend = await startBackend({
    features: ['hello', 'catalog', 'my-plugin'].map(
      id => recordingPlugin(id).feature,
    ),
  });
});
afterAll(() => backend.stop());

it('the call of docs/browsers-and-cookies.md compiles, and gets the cookie that opens an image', async () => {
  const { problems, exports } = callRecipe;
  expect(problems).toEqual([]);
  const { cookies, withCookies, discoveryApi, fetchApi } =
    await openFrontend(backend);
  const image = `${backend.url}/api/my-plugin/image.png`;
  expect((await withCookies(image)).status).toBe(401);
  await exports.run(discoveryApi, fetchApi);
  expect(cookies.headerFor(image)).toMatch(/(^|; )token=/);
  expect((await withCookies(image)).status).toBe(200);
});

describe('[P49] the sign-out of docs/sign-out.md', () => {
  it('compiles, and ends the session and the cookie of a guest', async () => {
    const { problems, exports } = signOutRecipe;
    expect(problems).toEqual([]);
    const { cookies, withCookies, bearer, discoveryApi, fetchApi } =
      await openFrontend(backend);
    const page = `${backend.url}/api/hello/x`;
    await withCookies(page, { headers: bearer });
    const copied = cookies.headerFor(page)!;
    expect((await withCookies(page)).status).toBe(200);

    const signOutOfFrontend = jest.fn();
    const credentials = { token: 'of-a-test' };
    const identity = exports.endSessionAtSignOut(
      { signOut: signOutOfFrontend, getCredentials: async () => credentials },
      discoveryApi,
      fetchApi,
    );
    expect(await identity.getCredentials()).toBe(credentials);
    await identity.signOut();
    expect(signOutOfFrontend).toHaveBeenCalledTimes(1);
    expect(cookies.headerFor(page)).toBeUndefined();
    for (const headers of [bearer, { cookie: copied }]) {
      expect((await fetch(page, { headers })).status).toBe(401);
    }
  });
});
