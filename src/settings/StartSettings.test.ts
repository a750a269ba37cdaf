import { createReloadableConfig } from '../__tests__/__testUtils__/reloadableConfig';
import type { AllowRule } from '../gate/rules/AllowRule';
import type { ApiGateConfig } from './read/readApiGateConfig';
import { StartSettings } from './StartSettings';

describe('StartSettings of rules that require a setting', () => {
  const rules = [undefined, 'a.kept', 'a.removed', 'a.added', 'a.added'].map(
    requires => ({ plugin: 'p', path: `/${requires}`, methods: [], requires }),
  ) as AllowRule[];
  const gate = { allow: rules, tokens: [] as object[] } as ApiGateConfig;
  const texts = createReloadableConfig({ a: { kept: 'x', removed: 'x' } });
  const start = new StartSettings(texts.config);
  texts.change({ a: { kept: 'y', added: 'x' } });

  it('closes a rule whose setting was no text at the start, or is none now', () => {
    const { allow } = start.markUnmet(gate, texts.config);
    const opened = allow.filter(({ unmet }) => !unmet);
    expect(opened.map(({ path }) => path)).toEqual(['/undefined', '/a.kept']);
  });

  it('finds each required setting once that was added since the start', () => {
    const state = { before: gate, hasEnforced: false };
    const { needsRestart } = start.apply(gate, texts.config, state);
    expect(needsRestart).toEqual(['a.added']);
  });
});
