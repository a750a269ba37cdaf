import { readFileSync } from 'node:fs';
import path from 'node:path';
import { ConfigReader } from '@backstage/config';
import { merge } from 'lodash';
import { parse } from 'yaml';
import { readApiGateConfig } from '../../config/readApiGateConfig';

const readme = readFileSync(
  path.resolve(__dirname, '../../../README.md'),
  'utf8',
);

const yamlBlocks = [...readme.matchAll(/^( *)```yaml\n(.*?)\n\1```$/gms)].map(
  ([, indent, text]) => text.replace(new RegExp(`^${indent}`, 'gm'), ''),
);

const BASE_URL = 'https://backstage.example.com';

describe('what the README says to write into app-config.yaml', () => {
  it.each(yamlBlocks)('is accepted: %j', text => {
    const value = parse(text);
    // Recipes consist of rules only.
    const written = Array.isArray(value)
      ? { auth: { apiGate: { allow: value } } }
      : value;
    const config = merge({ backend: { baseUrl: BASE_URL } }, written);
    const { allow } = readApiGateConfig(new ConfigReader(config));
    expect(allow).toHaveLength(written.auth?.apiGate?.allow?.length ?? 0);
  });
});

describe("the README's links", () => {
  const anchors = [...readme.matchAll(/^#+ (.*)$/gm)].map(([, title]) =>
    // GitHub makes the same anchors.
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
