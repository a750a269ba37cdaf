import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import ts from 'typescript';
import { BrowserCookies } from '../../__testUtils__/browserCookies';
import { codeBlocks } from '../../__testUtils__/documents';
import { recordingPlugin } from '../../__testUtils__/recordingPlugin';
import { RunningBackend, startBackend } from '../../__testUtils__/startBackend';

jest.setTimeout(60_000);

const [{ text: recipe }] = codeBlocks('ts').filter(
  ({ file }) => file === 'docs/sign-out.md',
);

/** Compiles the recipe as a frontend does, and returns its function. */
function compile() {
  const file = path.join(mkdtempSync(path.join(tmpdir(), 'recipe-')), 'x.ts');
  writeFileSync(file, recipe);
  const program = ts.createProgram([file], {
    strict: true,
    noEmit: true,
    types: [],
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ES2022,
    lib: ['lib.es2022.d.ts', 'lib.dom.d.ts'],
  });
  const problems = ts
    .getPreEmitDiagnostics(program)
    .map(({ messageText }) => messageText);
  const { outputText } = ts.transpileModule(recipe, {
    compilerOptions: { module: ts.ModuleKind.CommonJS },
  });
  const exports: Record<string, any> = {};
  // eslint-disable-next-line no-new-func
  new Function('exports', outputText)(exports);
  return { problems, createSignOut: exports.createSignOut };
}

describe('[P49] the sign-out of docs/sign-out.md', () => {
  let backend: RunningBackend;

  beforeAll(async () => {
    backend = await startBackend({
      features: ['hello', 'catalog'].map(id => recordingPlugin(id).feature),
    });
  });
  afterAll(() => backend.stop());

  it('compiles, and ends the session and the cookie of a guest', async () => {
    const { problems, createSignOut } = compile();
    expect(problems).toEqual([]);

    const cookies = new BrowserCookies();
    const withCookies = async (url: string, init: RequestInit = {}) => {
      const cookie = cookies.headerFor(url);
      const headers = { ...init.headers, ...(cookie && { cookie }) };
      const response = await fetch(url, { ...init, headers });
      cookies.store(url, response.headers.getSetCookie());
      return response;
    };
    const signedIn = await withCookies(`${backend.url}/api/auth/guest/refresh`);
    const { token } = (await signedIn.json()).backstageIdentity;
    const bearer = { Authorization: `Bearer ${token}` };
    // As Backstage's `fetchApi`: it adds the token, and cookies where a call asks for them.
    const send = (url: string, init: RequestInit = {}) =>
      (init.credentials === 'include' ? withCookies : fetch)(url, {
        ...init,
        headers: { ...init.headers, ...bearer },
      });
    const page = `${backend.url}/api/hello/x`;
    await withCookies(page, { headers: bearer });
    const copied = cookies.headerFor(page)!;
    expect((await withCookies(page)).status).toBe(200);

    const signOutOfFrontend = jest.fn();
    await createSignOut(
      { signOut: signOutOfFrontend },
      { getBaseUrl: async (id: string) => `${backend.url}/api/${id}` },
      { fetch: send },
    )();
    expect(signOutOfFrontend).toHaveBeenCalledTimes(1);
    expect(cookies.headerFor(page)).toBeUndefined();
    for (const headers of [bearer, { cookie: copied }]) {
      expect((await fetch(page, { headers })).status).toBe(401);
    }
  });
});
