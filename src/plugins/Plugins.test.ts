import type { Request } from 'express';
import { Plugins } from './Plugins';

const policies = { acceptsUserCookie: () => false };

const requestTo = (plugin: string) =>
  ({
    baseUrl: `/api/${plugin}`,
    params: { gatedPluginId: plugin },
  }) as unknown as Request;

describe('where only a plugin can list the installed plugins', () => {
  it.each(['hello', 'absent', 'auth', '%41uth'])(
    'a request to %s is refused as one to a starting backend, until a plugin lists them',
    id => {
      const plugins = new Plugins(undefined, policies);
      expect(plugins.isSet).toBe(false);
      expect(() => plugins.targetOf(requestTo(id))).toThrow(
        expect.objectContaining({ reason: 'starting' }),
      );
      plugins.setInstalled(['Hello']);
      expect(plugins.isSet).toBe(true);
      expect(plugins.isInstalled('hello')).toBe(true);
      expect(plugins.isInstalled('absent')).toBe(false);
      expect(plugins.targetOf(requestTo('absent')).id).toBe('absent');
    },
  );
});
