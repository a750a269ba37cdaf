import path from 'node:path';
import type { BackstageCredentials } from '@backstage/backend-plugin-api';
import { createCopier } from './createCopier';

// Backstage's own functions, which no entry point exports. An older release brings those of its own.
const backstage = require(
  path.join(
    path.dirname(require.resolve('@backstage/backend-defaults/auth')),
    'entrypoints/auth/helpers.cjs.js',
  ),
);

const inAnHour = () => new Date('2026-06-01T01:00:00Z');
const user = (...actor: string[]): BackstageCredentials =>
  backstage.createCredentialsWithUserPrincipal(
    'user:default/a',
    'the token',
    inAnHour(),
    ...actor,
  );
const service = (restrictions?: object): BackstageCredentials =>
  backstage.createCredentialsWithServicePrincipal(
    'plugin:a',
    undefined,
    restrictions,
    restrictions && new Map([['hello', restrictions]]),
  );

const names = { permissionNames: ['catalog.entity.read'] };
const attributes = { permissionAttributes: { action: ['read', 'update'] } };

/** Returns a value with everything that can be reached from it and changed. */
function reach(value: unknown): object[] {
  if (typeof value !== 'object' || value === null) {
    return [];
  }
  const parts = Reflect.ownKeys(value).map(key => (value as any)[key]);
  const entries = value instanceof Map ? [...value] : [];
  return [value, ...[...parts, ...entries.flat()].flatMap(reach)];
}

/** Returns the properties of all that can be reached, also those that are not enumerable. */
const propertiesOf = (credentials: BackstageCredentials) =>
  reach(credentials).map(part => Object.getOwnPropertyDescriptors(part));

describe('[P50] copies of credentials', () => {
  it.each<[string, () => BackstageCredentials]>([
    ['a user', () => user()],
    ['a user for whom a service acts', () => user('plugin:search')],
    ['a service', () => service()],
    ['a service that may use a plugin', () => service({})],
    ['a service with permissions', () => service(names)],
    ['a service with actions', () => service(attributes)],
    ['a service with both', () => service({ ...names, ...attributes })],
  ])('of %s are whole, and share nothing that can change', (_, make) => {
    const original = make();
    const copy = createCopier(original)!;
    const [one, other] = [copy(), copy()];
    expect(one).toEqual(original);
    expect(propertiesOf(one)).toMatchObject(propertiesOf(original));
    const reached = [original, one, other].map(each => new Set(reach(each)));
    expect(new Set(reached.flatMap(each => [...each])).size).toBe(
      reached.reduce((sum, { size }) => sum + size, 0),
    );
  });

  const principalWith = (added: object) => {
    const credentials = user();
    Object.assign(credentials.principal as object, added);
    return credentials;
  };
  class Principal {
    readonly type = 'user';
    readonly userEntityRef = 'user:default/a';
  }
  const restrictedTo = (restrictions: unknown) =>
    service(restrictions as object);

  it.each<[string, () => object]>([
    ['nobody', () => backstage.createCredentialsWithNonePrincipal()],
    ['no principal', () => ({ ...user(), principal: undefined })],
    ['a principal of a class', () => ({ principal: new Principal() })],
    ['one more property', () => ({ ...user(), scope: 'read' })],
    ['a symbol', () => ({ ...user(), [Symbol('scope')]: 'read' })],
    [
      'one more hidden property',
      () => Object.defineProperty(user(), 'scope', { value: 'read' }),
    ],
    ['one more property of the user', () => principalWith({ groups: [] })],
    ['a null beside it', () => principalWith({ groups: null })],
    ['a name that is an object', () => principalWith({ userEntityRef: {} })],
    ['an actor of another kind', () => principalWith({ actor: user() })],
    ['an expiry that is a number', () => ({ ...user(), expiresAt: 1 })],
    ['a token that is an object', () => Object.assign(user(), { token: {} })],
    ['one more restriction', () => restrictedTo({ ...names, tenant: 'a' })],
    ['a restriction to text', () => restrictedTo({ permissionNames: 'a' })],
    ['a restriction to a number', () => restrictedTo({ permissionNames: 1 })],
    [
      'one more attribute',
      () => restrictedTo({ permissionAttributes: { tenant: ['a'] } }),
    ],
    [
      'a restriction to objects',
      () => restrictedTo({ permissionNames: [{ name: 'a' }] }),
    ],
    [
      'one more restriction of another plugin',
      () =>
        Object.assign(service(names), {
          allAccessRestrictions: new Map([['other', { tenant: 'a' }]]),
        }),
    ],
    [
      'restrictions of plugins in an object',
      () => Object.assign(service(names), { allAccessRestrictions: {} }),
    ],
  ])('there are none of credentials with %s', (_, make) => {
    expect(createCopier(make() as BackstageCredentials)).toBeUndefined();
  });
});
