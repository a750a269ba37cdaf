import { ConfigReader } from '@backstage/config';
import type { JsonValue } from '@backstage/types';
import { readApiGateConfig } from './readApiGateConfig';

const read = (
  apiGate: JsonValue | undefined,
  baseUrl = 'https://backstage.example.com',
) =>
  readApiGateConfig(
    new ConfigReader({
      backend: { baseUrl },
      ...(apiGate !== undefined && { auth: { apiGate } }),
    }),
  );

describe('readApiGateConfig', () => {
  it('has defaults', () => {
    const defaults = {
      allow: [],
      issuers: [],
      cookie: {
        enabled: true,
        name: 'token',
        attributes: {
          httpOnly: true,
          path: '/',
          sameSite: 'lax',
          secure: true,
        },
      },
      warnings: [],
    };
    expect(read(undefined)).toEqual(defaults);
    expect(read({})).toEqual(defaults);
    expect(read({}, 'http://localhost:7007').cookie.attributes.secure).toBe(
      false,
    );
  });

  it.each<[JsonValue, string]>([
    [true, 'auth.apiGate must be an object'],
    [[], 'auth.apiGate must be an object'],
    [
      { alow: [] },
      'auth.apiGate.alow is not known: use allow, issuers, cookie',
    ],
    [
      { issuers: 'https://a.example.com' },
      'auth.apiGate.issuers must be a list',
    ],
    [{ issuers: [''] }, 'auth.apiGate.issuers must be a list'],
    [{ issuers: ['a.example.com'] }, 'auth.apiGate.issuers[0] must be the URL'],
    [
      { issuers: ['ftp://a.example.com'] },
      'auth.apiGate.issuers[0] must be the URL',
    ],
    [{ cookie: { Name: 'x' } }, 'auth.apiGate.cookie.Name is not known'],
    [
      { cookie: { enabled: 'false' } },
      'auth.apiGate.cookie.enabled must be true or false',
    ],
    [
      { cookie: { name: '' } },
      'auth.apiGate.cookie.name must be a cookie name',
    ],
    [
      { cookie: { name: 'a b' } },
      'auth.apiGate.cookie.name must be a cookie name',
    ],
    [
      { cookie: { name: 'a;b' } },
      'auth.apiGate.cookie.name must be a cookie name',
    ],
    [
      { cookie: { name: 'backstage-auth' } },
      'auth.apiGate.cookie.name must not be',
    ],
    [
      { cookie: { sameSite: 'Lax' } },
      'auth.apiGate.cookie.sameSite must be one of strict, lax, none',
    ],
    [
      { cookie: { domain: 'example.org' } },
      'auth.apiGate.cookie.domain must be a domain that the host',
    ],
    [
      { cookie: { domain: 'ample.com' } },
      'auth.apiGate.cookie.domain must be a domain that the host',
    ],
    [
      { cookie: { domain: 'com' } },
      'auth.apiGate.cookie.domain must be a domain that the host',
    ],
    [
      { cookie: { domain: 5 } },
      'auth.apiGate.cookie.domain must be a domain that the host',
    ],
    [
      { cookie: { name: '__Host-token', domain: 'example.com' } },
      'auth.apiGate.cookie.domain must be left out',
    ],
  ])('refuses %j', (apiGate, message) => {
    expect(() => read(apiGate)).toThrow(message);
    expect(() => read(apiGate)).toThrow(/^[^\n]+$/);
  });

  it.each<[JsonValue, string]>([
    [
      { cookie: { sameSite: 'none' } },
      'auth.apiGate.cookie.sameSite must be lax or strict',
    ],
    [
      { cookie: { name: '__Host-token' } },
      'auth.apiGate.cookie.name must not start with __Host-',
    ],
    [
      { cookie: { name: '__Secure-token' } },
      'auth.apiGate.cookie.name must not start with __Secure-',
    ],
  ])('refuses %j without https', (apiGate, message) => {
    expect(() => read(apiGate, 'http://backstage.example.com')).toThrow(
      message,
    );
    expect(() => read(apiGate)).not.toThrow();
  });

  it('takes what browsers take', () => {
    expect(
      read({ cookie: { domain: 'example.com', sameSite: 'none' } }).cookie
        .attributes,
    ).toEqual({
      domain: 'example.com',
      httpOnly: true,
      path: '/',
      sameSite: 'none',
      secure: true,
    });
    expect(
      read({ issuers: ['https://a.example.com/api/auth'] }).issuers,
    ).toHaveLength(1);
  });
});
