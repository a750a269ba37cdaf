import {
  identityProvider,
  identityProviderConfig,
  IdentityProviderSession,
  Laptop,
} from '../__testUtils__/identityProvider';
import { recordingPlugin } from '../__testUtils__/recordingPlugin';
import { SignedBackend, signedBackends } from '../__testUtils__/signedBackends';

const backends = signedBackends();

const JANE = 'user:default/jane';

describe("a session of the identity provider's", () => {
  const session = new IdentityProviderSession();
  let backend: SignedBackend;
  let laptop: Laptop;

  beforeAll(async () => {
    backend = await backends.start({
      features: [
        identityProvider(JANE, session),
        recordingPlugin('hello').feature,
      ],
      config: identityProviderConfig,
    });
    laptop = new Laptop(backend.url);
    await laptop.signIn();
  });

  const statusWith = async (token?: string) => {
    const headers = { Authorization: `Bearer ${token}` };
    return (await laptop.fetch('/api/hello/x', headers)).status;
  };

  it('signs the same browser in again after a sign-out everywhere, until it ends there', async () => {
    const { token } = await laptop.loadPage();
    expect(await statusWith(token)).toBe(200);

    await backend.endSessions(token!, JANE);
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
