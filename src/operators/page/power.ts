import { compact } from 'lodash';
import type { PluginPath } from '../../gate/rules/AllowRule';
import type { PolicyReport } from '../reports/describePolicy';
import { Content, html } from './html';
import { list } from './parts';

/** Renders who may do what, and whom and what the gate trusts. */
export function renderPower({ keptClosed, settings }: PolicyReport): Content {
  const { cookie, credentialHeader, foreignAuthorization, signOut } = settings;
  const facts: [title: string, values: string[]][] = [
    ['Operators', settings.operators],
    ['Origins whose pages may use the cookie', cookie.trustedOrigins],
    ['Paths whose pages act as the user', cookie.trustedPaths.map(format)],
    ['Header for a Backstage token', compact([credentialHeader])],
    [
      "Paths where Authorization is another server's",
      foreignAuthorization.map(format),
    ],
    ['Plugins of which no rule may open anything', keptClosed],
    ['Cookie', describeCookie(cookie)],
    [
      'A sign-out ends',
      [
        signOut.scope === 'user' ? 'every token of the user' : 'this session',
        ...signOut.providers.map(id => `also by the logout of ${id}`),
      ],
    ],
  ];
  return list(
    facts.map(
      ([title, values]) => html`${title}: ${values.join(', ') || 'none'}`,
    ),
  );
}

function describeCookie(cookie: PolicyReport['settings']['cookie']): string[] {
  const { domain, maxAge, name, sameSite, secure } = cookie;
  return cookie.enabled
    ? [
        name,
        `SameSite=${sameSite}`,
        secure ? 'Secure' : 'not Secure',
        domain ?? 'this host',
        maxAge ? `for ${maxAge}` : 'as long as the token',
      ]
    : [];
}

function format({ plugin, path }: PluginPath): string {
  return `/api/${plugin}${path}`;
}
