import { MiddlewareFactory } from '@backstage/backend-defaults/rootHttpRouter';
import type { RootConfigService } from '@backstage/backend-plugin-api';
import { ConfigReader } from '@backstage/config';
import { NotAllowedError } from '@backstage/errors';
import {
  AuthorizeResult,
  BasicPermission,
} from '@backstage/plugin-permission-common';
import express, { Request, Router } from 'express';
import { RouteAccess } from '../../operators/routes/RouteAccess';
import { serve } from './serve';

const OPERATOR = 'user:default/operator';

/** The caller whom the permission service allows nothing. */
export const RESTRICTED = 'plugin:restricted';

/**
 * Starts some of the gate's own routes behind Backstage's error middleware, to the end of the tests of a file. A caller is named by its bearer token: a
 * service such as `plugin:search`, or a user. `user:default/operator` is the only operator, and
 * `user:default/reader` the only reader.
 */
export async function startRoutes(
  createRouter: (access: RouteAccess) => Router,
) {
  const authorized: string[] = [];
  const access = new RouteAccess({
    httpAuth: {
      credentials: async (req: Request, { allow }: { allow: string[] }) => {
        const [, subject] = req.headers.authorization!.split(' ');
        const type = subject.startsWith('user:') ? 'user' : 'service';
        if (!allow.includes(type)) {
          throw new NotAllowedError(`No ${type} here`);
        }
        const name = type === 'user' ? 'userEntityRef' : 'subject';
        return { principal: { type, [name]: subject } };
      },
    } as never,
    permissions: {
      authorize: async (
        [{ permission }]: { permission: BasicPermission }[],
        { credentials }: { credentials: { principal: { subject?: string } } },
      ) => {
        authorized.push(permission.name);
        const isDenied = credentials.principal.subject === RESTRICTED;
        return [
          { result: isDenied ? AuthorizeResult.DENY : AuthorizeResult.ALLOW },
        ];
      },
    } as never,
    userInfo: {
      getUserInfo: async () => ({ ownershipEntityRefs: [] }),
    } as never,
    source: {
      current: {
        config: {
          operators: new Set([OPERATOR]),
        },
      },
    } as never,
  });
  const app = express();
  app.use(createRouter(access));
  const logger = { error: () => {}, child: () => logger } as never;
  const config = new ConfigReader({}) as unknown as RootConfigService;
  app.use(MiddlewareFactory.create({ config, logger }).error());
  const { port, url } = await serve(app);
  return {
    port,
    /** The names of the permissions that were checked. */
    authorized,
    async send(method: string, path: string, caller: string, body?: unknown) {
      const response = await fetch(`${url}${path}`, {
        method,
        headers: {
          Authorization: `Bearer ${caller}`,
          ...(body !== undefined && { 'Content-Type': 'application/json' }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      const { status, headers } = response;
      return { status, headers, body: await response.json() };
    },
  };
}
