import type { DiscoveryService } from '@backstage/backend-plugin-api';
import {
  DefaultIdentityClient,
  getBearerTokenFromAuthorizationHeader,
} from '@backstage/plugin-auth-node';
import { parse } from 'cookie';
import type { RequestHandler } from 'express';
import { decodeJwt } from 'jose';

/**
 * Creates the middleware of Backstage's tutorial "Authenticate API requests", for user tokens. Its second part, for service
 * tokens, was for the legacy backend system. The load has no service tokens.
 */
export function createTutorialMiddleware(
  discovery: DiscoveryService,
): RequestHandler {
  const identity = DefaultIdentityClient.create({ discovery });

  return async (req, res, next) => {
    try {
      const cookieToken = req.headers.cookie && parse(req.headers.cookie).token;
      const token =
        getBearerTokenFromAuthorizationHeader(req.headers.authorization) ??
        cookieToken;
      Object.assign(req, { user: await identity.authenticate(token) });
      req.headers.authorization ??= `Bearer ${token}`;
      if (token && token !== cookieToken) {
        setTokenCookie(res, token);
      }
      next();
    } catch {
      res.status(401).send('Unauthorized');
    }
  };
}

function setTokenCookie(
  res: Parameters<RequestHandler>[1],
  token: string,
): void {
  try {
    const { exp } = decodeJwt(token);
    res.cookie('token', token, {
      expires: exp ? new Date(exp * 1000) : undefined,
      sameSite: 'lax',
      path: '/',
      httpOnly: true,
    });
  } catch {
    // The tutorial sets no cookie here either.
  }
}
