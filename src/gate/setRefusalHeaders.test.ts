import { ServerResponse } from 'node:http';
import express, { Response } from 'express';
import { GateCookie } from '../cookie/GateCookie';
import { Refusal } from '../decision/Refusal';
import type { ExpressRequest } from './GateRequest';
import { setRefusalHeaders } from './setRefusalHeaders';

const ID = '0123456789abcdef';
const INVALID = 'Bearer realm="Backstage", error="invalid_token"';
const DISCOVERED =
  'https://example.com/.well-known/oauth-protected-resource/api/mcp-actions/v1';
const cookie = { cookie: 'token=x' };
const cleared = {
  'set-cookie': ['token=; Expires=Thu, 01 Jan 1970 00:00:00 GMT'],
  'cache-control': 'no-store',
};

/** Returns the headers of the answer to a refused request. */
async function answer(
  refusal: Refusal,
  options: {
    headers?: object;
    pluginId?: string;
    path?: string;
    hasAnswered?: boolean;
  } = {},
) {
  const { headers = {}, pluginId = 'hello', path, hasAnswered } = options;
  const req = { headers } as never;
  const res: Response = Object.setPrototypeOf(
    new ServerResponse(req),
    express.response,
  );
  if (hasAnswered) {
    res.writeHead(200);
  }
  const request = {
    req,
    res,
    pluginId,
    reportedPath: path,
    decisionId: ID,
    policy: {
      config: {
        mcpPaths: new Set(['/v1']),
      },
    },
  } as unknown as ExpressRequest;
  const getExternalBaseUrl = jest.fn(
    async (id: string) => `https://example.com/api/${id}`,
  );
  await setRefusalHeaders(request, refusal, {
    cookie: new GateCookie(
      { enabled: true, name: 'token', attributes: {} } as never,
      '[::1]',
    ),
    plugins: {
      isInstalled: () => true,
      anyRegistered: () => ({ discovery: { getExternalBaseUrl } }),
    } as never,
  });
  if (!hasAnswered) {
    res.writeHead(refusal.status);
  }
  const discovered = getExternalBaseUrl.mock.calls.length;
  return { headers: { ...res.getHeaders() }, discovered };
}

describe('setRefusalHeaders', () => {
  it.each([
    [Refusal.invalidToken, { 'www-authenticate': INVALID }],
    [Refusal.crossSite, {}],
    [Refusal.keysUnavailable, { 'retry-after': '5' }],
  ])('sets those of %s', async (refusal, expected) => {
    expect((await answer(refusal, { path: '/x' })).headers).toEqual({
      'api-gate-decision': ID,
      ...expected,
    });
  });

  it.each([
    [
      'that are discovered',
      { pluginId: 'mcp-actions', path: '/v1' },
      `${INVALID}, resource_metadata="${DISCOVERED}"`,
    ],
    ['for a path that can not be read', { pluginId: 'mcp-actions' }, INVALID],
    ['elsewhere', { pluginId: 'hello', path: '/x' }, INVALID],
  ])('of a 401 point to the metadata %s', async (_, options, challenge) => {
    const { headers } = await answer(Refusal.revoked, options);
    expect(headers['www-authenticate']).toBe(challenge);
  });

  it('of a 403 point to no metadata, and need no discovery', async () => {
    const options = { pluginId: 'mcp-actions', path: '/v1' };
    expect(await answer(Refusal.crossSite, options)).toEqual({
      headers: { 'api-gate-decision': ID },
      discovered: 0,
    });
  });

  it.each([
    ['that can never succeed', Refusal.invalidToken, cookie, cleared],
    [
      'beside a bearer',
      Refusal.invalidToken,
      { ...cookie, authorization: 'Bearer x' },
      {},
    ],
    ['of another site', Refusal.crossSite, cookie, {}],
    ['that may succeed later', Refusal.keysUnavailable, cookie, {}],
    ['of another name', Refusal.missingCredentials, { cookie: 'a=1' }, {}],
  ])('clear a cookie %s, or not', async (_, refusal, headers, expected) => {
    const { 'set-cookie': setCookie, 'cache-control': cacheControl } = (
      await answer(refusal, { headers, path: '/x' })
    ).headers;
    expect({
      ...(setCookie && { 'set-cookie': setCookie }),
      ...(cacheControl && { 'cache-control': cacheControl }),
    }).toEqual(expected);
  });

  it('leave an answer as it is that has begun', async () => {
    const options = { headers: cookie, path: '/x', hasAnswered: true };
    expect((await answer(Refusal.invalidToken, options)).headers).toEqual({});
  });
});
