import path from 'node:path';
import type { BackstageCredentials } from '@backstage/backend-plugin-api';
import { copyCredentials } from './TokenCache';

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
    const [one, other] = [original, original].map(each =>
      copyCredentials(each)!,
    );
    expect(one).toEqual(original);
    expect(propertiesOf(one)).toMatchObject(propertiesOf(original));
    const reached = [original, one, other].map(each => new Set(reach(each)));
    expect(new Set(reached.flatMap(each => [...each])).size).toBe(
      reached.reduce((sum, { size }) => sum + size, 0),
    );
  });

  it('of what else is plain are whole too', () => {
    const original = Object.assign(user(), {
      groups: [{ name: 'a' }],
      nothing: null,
      [Symbol('scope')]: 'read',
    });
    const copy = () => copyCredentials(original) as typeof original;
    const [one, other] = [copy(), copy()];
    expect(propertiesOf(one)).toEqual(propertiesOf(original));
    one.groups[0].name = 'evil';
    expect(other).toEqual(original);
    expect(copy()).toEqual(original);
  });

  class Principal {
    readonly type = 'user';
    readonly userEntityRef = 'user:default/a';
  }
  class Restrictions extends Map {}
  const itself: { principal?: object } = {};
  itself.principal = itself;

  it.each<[string, object]>([
    ['an instance of a class', { principal: new Principal() }],
    ['an object without a prototype', { principal: Object.create(null) }],
    ['another object as a prototype', { principal: Object.create({ a: 1 }) }],
    ['a set', { principal: { groups: new Set(['a']) } }],
    ['bytes', { principal: { keys: [Buffer.from('a')] } }],
    ['a promise', { principal: { profile: Promise.resolve() } }],
    ['a proxy of a class', { principal: new Proxy(new Principal(), {}) }],
    ['a map of its own kind', { restrictions: new Restrictions() }],
    ['an instance in a map', { all: new Map([['a', new Principal()]]) }],
    [
      'a hidden instance',
      Object.defineProperty(user(), 'session', { value: new Principal() }),
    ],
    ['itself', itself],
    ['a property __proto__', JSON.parse('{ "__proto__": { "type": "user" } }')],
  ])('there are none of credentials with %s', (_, credentials) => {
    expect(
      copyCredentials(credentials as BackstageCredentials),
    ).toBeUndefined();
  });
});
