import { ConfigReader } from '@backstage/config';
import type { JsonValue } from '@backstage/types';
import { readAllowRules } from './readAllowRules';
import { findTexts, holdsText, markUnmet } from './requirements';

const config = new ConfigReader({
  a: { text: 'x', empty: '', blank: ' ', number: 7, on: true },
  list: ['x'],
  top: 'x',
});

const read = (requires: JsonValue) =>
  readAllowRules([{ plugin: 'p', path: '/x', requires }], 'allow', config);

it.each(['a.text', 'a.empty', 'a.blank', 'a.missing', 'no.parent', 'top'])(
  'a rule may require %s',
  requires => expect(read(requires)[0].requires).toBe(requires),
);

it.each([
  ...['a', 'a.number', 'a.on', 'list', 'top.child'],
  '',
  '.a',
  'a.',
  'a..b',
  'a b',
  'a[0].b',
  'list[0]',
  '7a',
  'a.7',
  'a-',
  'a_.b',
  7,
  null,
])('a rule can not require %j, which is no config path of a text', requires =>
  expect(() => read(requires)).toThrow(
    'allow[0].requires must be the config path of a setting that holds a text, such as events.modules.github.webhookSecret',
  ),
);

it.each(['aB9', 'a-b.c_d', 'a.b-c-d9.e_f', 'A.B'])(
  'a rule can require %s, which is a config path',
  requires => expect(read(requires)[0].requires).toBe(requires),
);

it('finds the settings that hold a text', () => {
  const found = ['a.text', 'top'];
  expect([...findTexts(config)]).toEqual(found);
  const others = ['a', 'a.empty', 'a.blank', 'a.number', 'a.x', 'top.child'];
  expect([...found, ...others].filter(key => holdsText(key, config))).toEqual(
    found,
  );
});

it('marks the rules that lack what they require, and no others', () => {
  const rule = { plugin: 'p', path: '/x', methods: ['GET'] };
  const rules = [{ ...rule, requires: 'a' }, { ...rule, requires: 'b' }, rule];
  expect(markUnmet(rules, key => key === 'a')).toStrictEqual([
    rules[0],
    { ...rules[1], unmet: true },
    rule,
  ]);
});
