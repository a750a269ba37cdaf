import type { Request, Response } from 'express';
import type { DecodedToken } from '../read/token';
import { Plugins, RegisteredPlugin } from './Plugins';

const requestTo = (plugin: string) =>
  ({
    baseUrl: `/api/${plugin}`,
    params: { gatedPluginId: plugin },
  }) as unknown as Request;

const starting = expect.objectContaining({ reason: 'starting' });

/** The services of a plugin, each of which is told apart by the plugin's id. */
const serviceOf = (id: string, changed: Partial<RegisteredPlugin> = {}) =>
  ({
    id,
    auditor: `auditor of ${id}`,
    auth: { getNoneCredentials: async () => `nobody for ${id}` },
    httpAuth: { issueUserCookie: jest.fn(async () => ({})) },
    verifier: `verifier of ${id}`,
    uninstalledPluginAuth: jest.fn(async () => `service of ${id}`),
    isUp: () => true,
    started: async () => {},
    ...changed,
  }) as unknown as RegisteredPlugin;

/** Accepts a plugin's cookie at the path with its name. */
const byName = {
  acceptsUserCookie: (id: string, path: string) => path === `/${id}`,
  isKnown: (id: string) => id === 'hello',
};

describe('plugins', () => {
  it('have ids in lower case, and upgrades', () => {
    const plugins = new Plugins(['Hello', 'auth'], byName);
    plugins.register(serviceOf('Hello'));
    expect(plugins.installedIds()).toEqual(['hello', 'auth']);
    expect(plugins.registeredIds()).toEqual(['hello']);
    expect(plugins.haveUpgrades).toBe(true);
    expect([...plugins.all()]).toEqual([
      expect.objectContaining({ id: 'hello', mountedAs: 'Hello' }),
    ]);
  });

  it('are the target of a request to them once they have registered', async () => {
    const plugins = new Plugins(['Hello'], byName);
    const early = plugins.targetOf(requestTo('HELLO'));
    expect(early).toMatchObject({ id: 'hello', isRegistered: false });
    expect(early.isUp()).toBe(false);
    expect(early.acceptsUserCookie('/hello')).toBe(false);
    expect(early.publicKeys()).toBeUndefined();
    await expect(early.started()).rejects.toEqual(starting);
    await expect(early.verifierFor(undefined)).rejects.toEqual(starting);

    const services = serviceOf('Hello', {
      isUp: () => false,
      started: () => Promise.reject(new Error('stopping')),
    });
    plugins.register(services);
    const target = plugins.targetOf(requestTo('HELLO'));
    expect(target).toBe(plugins.installed('hello'));
    expect(target).toMatchObject({ mountedAs: 'Hello', isRegistered: true });
    expect(target.verifierFor(undefined)).toBe(services.verifier);
    expect(target.acceptsUserCookie('/hello')).toBe(true);
    expect(target.acceptsUserCookie('/Hello')).toBe(false);
    expect(target.isUp()).toBe(false);
    await expect(target.started()).rejects.toThrow('stopping');
  });

  it('let requests wait until they register, all together and once', async () => {
    const plugins = new Plugins(['hello', 'never'], byName, 50);
    const early = plugins.targetOf(requestTo('hello'));
    const waits = [early.started(), early.started()];
    expect(waits[0]).toBe(waits[1]);
    const services = serviceOf('hello');
    plugins.register(services);
    await Promise.all(waits);
    expect(early).toMatchObject({ isRegistered: true, servedBy: 'backstage' });
    expect(early.verifierFor(undefined)).toBe(services.verifier);

    const never = plugins.targetOf(requestTo('never'));
    await expect(never.started()).rejects.toEqual(starting);
    const refusedAt = performance.now();
    await expect(never.started()).rejects.toEqual(starting);
    expect(performance.now() - refusedAt).toBeLessThan(25);
    // A request that was refused meanwhile passes later.
    plugins.register(serviceOf('never'));
    await never.started();
  });

  it('have keys, and a router that is Backstage’s, or is not known to be', async () => {
    const plugins = new Plugins(['hello', 'ours'], byName);
    const auth = { listPublicServiceKeys: async () => ({ keys: [{ a: 1 }] }) };
    for (const id of ['Hello', 'ours']) {
      plugins.register(serviceOf(id, { auth } as never));
    }
    const [hello, ours, absent] = ['hello', 'ours', 'absent'].map(id =>
      plugins.targetOf(requestTo(id)),
    );
    expect(hello.servedBy).toBe('backstage');
    expect(ours.servedBy).toBeUndefined();
    expect(await ours.publicKeys()).toEqual([{ a: 1 }]);
    expect(absent.servedBy).toBeUndefined();
    expect(absent.publicKeys()).toBeUndefined();
    const behindGateway = new Plugins(['gateway'], byName);
    const elsewhere = behindGateway.targetOf(requestTo('absent'));
    expect(elsewhere.servedBy).toBe('gateway');
  });

  it('refuse what needs any of them, while none has registered', async () => {
    const plugins = new Plugins(['hello', 'auth'], byName);
    expect(() => plugins.anyRegistered()).toThrow(starting);
    expect(plugins.auditorFor('hello')).toBeUndefined();
    await expect(plugins.clearUserCookie({} as Response)).rejects.toEqual(
      starting,
    );
  });

  it('have an auditor: their own, or that of the first', () => {
    const plugins = new Plugins(['hello', 'auth'], byName);
    plugins.register(serviceOf('hello'));
    plugins.register(serviceOf('auth'));
    expect(plugins.anyRegistered().id).toBe('hello');
    expect(plugins.auditorFor('auth')).toBe('auditor of auth');
    expect(plugins.auditorFor('absent')).toBe('auditor of hello');
  });

  it("clear Backstage's own cookie by the service of the first", async () => {
    const plugins = new Plugins(['hello'], byName);
    const services = serviceOf('hello');
    plugins.register(services);
    const res = {} as Response;
    await plugins.clearUserCookie(res);
    expect(services.httpAuth.issueUserCookie).toHaveBeenCalledWith(res, {
      credentials: 'nobody for hello',
    });
  });

  it('have the keys of users at `auth`', () => {
    const plugins = new Plugins(['hello', 'auth'], byName);
    expect(plugins.userKeysPlugin()?.isUp()).toBe(false);
    plugins.register(serviceOf('auth'));
    expect(plugins.userKeysPlugin()).toBe(plugins.installed('auth'));
    expect(new Plugins(['hello'], byName).userKeysPlugin()).toBeUndefined();
  });
});

describe('a plugin that is not installed', () => {
  it('is a target by its own id, and up', async () => {
    const plugins = new Plugins(['hello'], byName);
    const target = plugins.targetOf(requestTo('Absent'));
    expect(target).toMatchObject({
      id: 'absent',
      mountedAs: 'absent',
      isRegistered: true,
    });
    expect(target.acceptsUserCookie('/absent')).toBe(true);
    expect(target.acceptsUserCookie('/a')).toBe(false);
    expect(target.isUp()).toBe(true);
    await target.started();
  });

  it('waits for the gateway', async () => {
    const plugins = new Plugins(['gateway'], byName);
    const early = plugins.targetOf(requestTo('absent'));
    expect(early.isUp()).toBe(false);
    await expect(early.started()).rejects.toEqual(starting);
    const started = jest.fn(async () => {});
    plugins.register(serviceOf('gateway', { started }));
    const target = plugins.targetOf(requestTo('absent'));
    expect(target.isUp()).toBe(true);
    await target.started();
    expect(started).toHaveBeenCalledTimes(1);
  });

  it("verifies a user's own token as any plugin, and other tokens by a service of its own", async () => {
    const plugins = new Plugins(['hello'], byName);
    const services = serviceOf('hello');
    plugins.register(services);
    const { verifierFor } = plugins.targetOf(requestTo('Absent'));
    const user: DecodedToken = { typ: 'vnd.backstage.user', sub: 'user:a/b' };
    expect(verifierFor(user)).toBe(services.verifier);
    for (const token of [
      undefined,
      { typ: 'vnd.backstage.plugin', sub: 'search' },
      { typ: 'vnd.backstage.plugin', sub: 'search', obo: user },
    ]) {
      expect(await verifierFor(token)).toBe('service of hello');
      expect(services.uninstalledPluginAuth).toHaveBeenLastCalledWith(
        'Absent',
        token,
      );
    }
  });
});
