import { formatRule, yamlOf } from './formatRule';

it.each([
  [['GET'], 'GET'],
  [['POST', 'GET'], 'POST,GET'],
  [['WEBSOCKET'], 'WEBSOCKET'],
])('a rule for %j is shown as %s', (methods, text) => {
  const rule = { plugin: 'catalog', path: '/a/**', methods };
  expect(formatRule(rule)).toBe(`${text} /api/catalog/a/**`);
  expect(yamlOf(rule)).toBe(
    `- { plugin: catalog, path: '/a/**', methods: [${methods.join(', ')}] }`,
  );
});
