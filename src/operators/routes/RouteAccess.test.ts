import { AuthorizeResult } from '@backstage/plugin-permission-common';
import type { Request } from 'express';
import {
  RouteAccess,
  authApiGateReadPermission,
  authApiGateRevokePermission as permission,
} from './RouteAccess';

const req = {} as Request;

function create(options: {
  principal: object;
  operators?: string[];
  result?: AuthorizeResult;
  userInfo?: () => Promise<string[]>;
}) {
  const getUserInfo = jest.fn(async () => ({
    ownershipEntityRefs: await (options.userInfo?.() ?? Promise.resolve([])),
  }));
  const authorize = jest.fn(async (..._args: unknown[]) => [
    { result: options.result ?? AuthorizeResult.ALLOW },
  ]);
  const config = { operators: new Set(options.operators) };
  const source = { current: { config } };
  const access = new RouteAccess({
    httpAuth: {
      credentials: async (_: Request, { allow }: { allow: string[] }) => {
        const { principal } = options;
        if (!allow.includes((principal as { type: string }).type)) {
          throw new Error('of another type');
        }
        return { principal };
      },
    } as never,
    permissions: { authorize } as never,
    userInfo: { getUserInfo } as never,
    source: source as never,
  });
  return { access, authorize, getUserInfo, source };
}

const jane = { type: 'user', userEntityRef: 'user:default/Jane' };
const service = { type: 'service', subject: 'plugin:search' };

describe('[P18] RouteAccess', () => {
  it('accepts services by the permission', async () => {
    const { access } = create({ principal: service });
    expect(await access.assertService(req, permission)).toBe(service);
    expect(await access.requireOperator(req)).toBe(service);
    expect(await access.requireUserOrOperator(req, 'x')).toBe(service);
    const denied = create({ principal: service, result: AuthorizeResult.DENY });
    for (const [judged, name] of [
      [denied.access.assertService(req, permission), 'revoke'],
      [denied.access.requireOperator(req), 'read'],
      [denied.access.requireUserOrOperator(req, 'x'), 'revoke'],
    ] as const) {
      await expect(judged).rejects.toMatchObject({
        name: 'NotAllowedError',
        message: `This needs the permission auth.api-gate.${name}`,
      });
    }
  });

  it.each([
    ['read', authApiGateReadPermission],
    ['update', permission],
  ] as const)(
    'asks for the permission to %s with the credentials of the caller',
    async (action, asked) => {
      const { access, authorize } = create({ principal: service });
      await access.assertService(req, asked);
      expect(authorize.mock.calls).toEqual([
        [[{ permission: asked }], { credentials: { principal: service } }],
      ]);
      // A permission policy may decide by the action alone.
      expect(asked.attributes).toEqual({ action });
    },
  );

  it('accepts no user where a service is required', async () => {
    const { access } = create({
      principal: jane,
      operators: ['user:default/jane'],
    });
    await expect(access.assertService(req, permission)).rejects.toThrow();
  });

  it('accepts users for themselves, whatever the permission, and requests no groups', async () => {
    const { access, getUserInfo } = create({
      principal: jane,
      operators: ['group:default/a'],
      result: AuthorizeResult.DENY,
    });
    expect(await access.requireUserOrOperator(req, 'USER:Default/jane')).toBe(
      jane,
    );
    expect(getUserInfo).not.toHaveBeenCalled();
  });

  it('requests no groups if there are no operators', async () => {
    const { access, getUserInfo } = create({ principal: jane });
    await expect(access.requireOperator(req)).rejects.toMatchObject({
      name: 'NotAllowedError',
      message:
        'This is for services, and for users whom auth.apiGate.operators names: user:default/Jane is not among them',
    });
    expect(getUserInfo).not.toHaveBeenCalled();
  });

  it.each<[string[], string[], string]>([
    [['user:default/jane'], [], 'taken'],
    [['group:default/a'], ['Group:Default/A'], 'taken'],
    [
      ['group:default/a'],
      ['group:default/ab', 'user:default/jane'],
      'NotAllowedError',
    ],
    [['group:default/a'], [], 'NotAllowedError'],
  ])('with operators %p and groups %p: %s', async (operators, refs, fate) => {
    const { access } = create({
      principal: jane,
      operators,
      userInfo: async () => refs,
    });
    expect(
      await access.requireUserOrOperator(req, 'user:default/x').then(
        () => 'taken',
        error => error.name,
      ),
    ).toBe(fate);
  });

  it('refuses a user who is taken from the list while the credentials are read', async () => {
    const operators = ['user:default/jane'];
    const { access, source } = create({ principal: jane, operators });
    const reading = access.requireOperator(req);
    source.current = { config: { operators: new Set<string>() } };
    await expect(reading).rejects.toMatchObject({ name: 'NotAllowedError' });
  });

  it('asks for the permission to read', async () => {
    const { access, authorize } = create({
      principal: jane,
      operators: ['user:default/jane'],
      result: AuthorizeResult.DENY,
    });
    await expect(access.requireOperator(req)).rejects.toMatchObject({
      message: 'This needs the permission auth.api-gate.read',
    });
    expect(authorize).toHaveBeenCalledTimes(1);
  });

  it('accepts no operator to whom the permission is denied', async () => {
    const { access } = create({
      principal: jane,
      operators: ['user:default/jane'],
      result: AuthorizeResult.DENY,
    });
    await expect(access.requireOperator(req)).rejects.toMatchObject({
      name: 'NotAllowedError',
    });
  });

  it.each([
    ['an error', new Error('no')],
    ['what is no error', undefined],
  ])('if the request for groups fails by %s, it is a 503', async (_, error) => {
    const { access } = create({
      principal: jane,
      operators: ['group:default/a'],
      userInfo: () => Promise.reject(error),
    });
    await expect(access.requireOperator(req)).rejects.toMatchObject({
      name: 'ServiceUnavailableError',
      message: 'The groups of the user can not be read at the moment',
    });
  });

  it.each([
    [404, 'NotAllowedError'],
    [500, 'ServiceUnavailableError'],
  ])(
    'if the request for groups gives %p, it is a %s',
    async (statusCode, name) => {
      const { access } = create({
        principal: jane,
        operators: ['group:default/a'],
        userInfo: async () => {
          throw Object.assign(new Error('no'), {
            name: 'ResponseError',
            statusCode,
          });
        },
      });
      await expect(access.requireOperator(req)).rejects.toMatchObject({ name });
    },
  );

  const refused =
    'This is for users whom auth.apiGate.operators names, and for external tokens whose accessRestrictions name the plugin auth and the permission auth.api-gate.revoke';
  it.each([
    [undefined, refused],
    [{}, refused],
    [{ permissionNames: ['catalog.entity.read'] }, refused],
    [{ permissionNames: [permission.name] }, 'service'],
  ])(
    'lets a service with the access restrictions %j keep users out: %s',
    async (accessRestrictions, outcome) => {
      const { access } = create({
        principal: { ...service, accessRestrictions },
      });
      const caller = access.requireOffboarder(req, 'user:default/jane').then(
        ({ type }) => type,
        ({ message }) => message,
      );
      expect(await caller).toBe(outcome);
    },
  );
});
