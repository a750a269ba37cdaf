import { readFileSync } from 'node:fs';
import path from 'node:path';
import { ConfigReader } from '@backstage/config';
import { merge } from 'lodash';
import { parse } from 'yaml';
import { readAllowRules } from './config/readAllowRules';
import { readApiGateConfig } from './config/readApiGateConfig';

const readme = readFileSync(path.resolve(__dirname, '../README.md'), 'utf8');

const yamlBlocks = [...readme.matchAll(/^( *)```yaml\n(.*?)\n\1```$/gms)].map(
  ([, indent, text]) => text.replace(new RegExp(`^${indent}`, 'gm'), ''),
);

const BASE_URL = 'https://backstage.example.com';

describe('what the README says to write into app-config.yaml', () => {
  it.each(yamlBlocks)('is accepted: %j', text => {
    const value = parse(text);
    if (Array.isArray(value)) {
      expect(readAllowRules(value, 'allow').rules).toHaveLength(value.length);
      return;
    }
    const config = merge({ backend: { baseUrl: BASE_URL } }, value);
    const { allow } = readApiGateConfig(new ConfigReader(config));
    expect(allow).toHaveLength(value.auth?.apiGate?.allow?.length ?? 0);
  });
});

describe("the README's links", () => {
  const anchors = [...readme.matchAll(/^#+ (.*)$/gm)].map(([, title]) =>
    // As GitHub makes them.
    title
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replace(/ /g, '-'),
  );

  it.each([...readme.matchAll(/\]\(#([^)]*)\)/g)].map(([, to]) => to))(
    'lead to a section: #%s',
    anchor => expect(anchors).toContain(anchor),
  );
});
