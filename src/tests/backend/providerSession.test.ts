import {
  identityProvider,
  identityProviderConfig,
  IdentityProviderSession,
  Laptop,
} from '../../__testUtils__/identityProvider';
import { recordingPlugin } from '../../__testUtils__/recordingPlugin';
import { RunningBackend, startBackend } from '../../__testUtils__/startBackend';

jest.setTimeout(60_000);

const JANE = 'user:default/jane';
const REVOCATIONS = '/api/auth/api-gate/v1/revocations';

describe("a session of the identity provider's", () => {
  const session = new IdentityProviderSession();
  let backend: RunningBackend;
  let laptop: Laptop;

  beforeAll(async () => {
    backend = await startBackend({
      features: [
        identityProvider(JANE, session),
        recordingPlugin('hello').feature,
      ],
      config: identityProviderConfig,
    });
    laptop = new Laptop(backend.url);
    await laptop.signIn();
  });
  afterAll(() => backend.stop());

  const bearer = (token?: string) => ({ Authorization: `Bearer ${token}` });
  const statusWith = async (token?: string) =>
    (await laptop.fetch('/api/hello/x', bearer(token))).status;

  it('signs the same browser in again after a sign-out everywhere, until it ends there', async () => {
    const { token } = await laptop.loadPage();
    expect(await statusWith(token)).toBe(200);

    const signedOut = await fetch(`${backend.url}${REVOCATIONS}`, {
      method: 'POST',
      headers: { ...bearer(token), 'Content-Type': 'application/json' },
      body: JSON.stringify({ userEntityRef: JANE }),
    });
    expect(signedOut.status).toBe(201);
    expect(await statusWith(token)).toBe(401);
    // The cookie of the session was refused, and cleared.
    expect((await laptop.fetch('/api/hello/x')).status).toBe(401);

    // A sign-out ends everything that was issued up to its second.
    await new Promise(resolve => setTimeout(resolve, 1_100));
    const reloaded = await laptop.loadPage();
    expect(await statusWith(reloaded.token)).toBe(200);

    session.end();
    expect(await laptop.loadPage()).toEqual({ status: 401, token: undefined });
    // The token from before stays valid until it expires.
    expect(await statusWith(reloaded.token)).toBe(200);
  });
});
