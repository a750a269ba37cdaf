import { isFullEntityRef, isStorableSub } from './entityRef';

it.each<[string, boolean, boolean]>([
  ['user:default/jane', true, true],
  [`user:default/${'x'.repeat(987)}`, true, true],
  [`user:default/${'x'.repeat(988)}`, false, false],
  ['', false, false],
  ['user:default/\0', false, false],
  ['\0user:default/jane', false, false],
  ['user:default/\ud800', false, false],
  ['user:default/\u{1f600}', true, true],
  ...['jane', 'default/jane', 'user:jane', ':default/jane', 'user:/jane'].map(
    (sub): [string, boolean, boolean] => [sub, true, false],
  ),
  ['user:default/', true, false],
  ['user:default/a b', true, false],
  ['user:default/a/b', true, false],
  ['user:a:b/jane', true, false],
])('%j can be stored: %p, is a full reference: %p', (sub, isStored, isFull) => {
  expect(isStorableSub(sub)).toBe(isStored);
  expect(isFullEntityRef(sub)).toBe(isFull);
});

it.each([undefined, null, 1, ['user:default/jane']])(
  '%j is no full reference',
  value => expect(isFullEntityRef(value)).toBe(false),
);
