import type { AllowRule } from '../gate/rules/AllowRule';

/** Formats the requests that a rule opens, such as `GET /api/catalog/entities/**`. */
export function formatRule(
  rule: Pick<AllowRule, 'plugin' | 'path' | 'methods'>,
): string {
  return `${rule.methods} /api/${rule.plugin}${rule.path}`;
}

/** Formats a rule as an entry of a list in YAML. */
export function yamlOf({ plugin, path, methods, requires }: AllowRule): string {
  return `- { plugin: ${plugin}, path: '${path}', methods: [${methods.join(', ')}]${requires ? `, requires: ${requires}` : ''} }`;
}
