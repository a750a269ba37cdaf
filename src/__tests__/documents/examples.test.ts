import { ConfigReader } from '@backstage/config';
import { merge } from 'lodash';
import { parseAllDocuments } from 'yaml';
import { readApiGateConfig } from '../../settings/read/readApiGateConfig';
import { codeBlocks } from '../__testUtils__/documents';

const BASE_URL = 'https://backstage.example.com';

/** The external token that blocks without `backend` name. */
const createToken = () => ({
  type: 'static',
  options: { token: 'a', subject: 'ci-deploy' },
});

/** Keys of `app-config.yaml` that the documents use. */
const APP_CONFIG = [
  'app',
  'auth',
  'backend',
  'discovery',
  'events',
  'mcpActions',
  'mcpActions',
  'permission',
  'proxy',
];

/** The first keys of YAML that is no configuration of Backstage, and the file that it is for. */
const OTHER_YAML: Record<string, string> = {
  includes: 'dynamic-plugins.yaml, read by integration/packages/dynamic',
  livenessProbe: 'a Kubernetes deployment',
  scrape_configs: 'prometheus.yml',
  on: 'a workflow of GitHub Actions',
  upstream:
    'the Helm chart of Red Hat Developer Hub, read by integration/packages/dynamic',
};

interface Example {
  file: string;
  text: string;
  value: any;
}

const examples: Example[] = codeBlocks('yaml').flatMap(({ file, text }) =>
  parseAllDocuments(text).map(document => {
    if (document.errors.length > 0) {
      throw new Error(`${file}: ${document.errors[0].message}\n${text}`);
    }
    return { file, text, value: document.toJS() };
  }),
);

const firstKeyOf = ({ value }: Example) =>
  Array.isArray(value) ? 'rules' : Object.keys(value)[0];

const nameOf = ({ file, text }: Example) =>
  `${file}: ${text.replace(/\s+/g, ' ').slice(0, 100)}`;

describe('the YAML of the documents', () => {
  it.each(
    examples.map(example => [nameOf(example), firstKeyOf(example)] as const),
  )(
    'is for app-config.yaml, or for a file that is listed here: %s',
    (_, key) => {
      expect([...APP_CONFIG, ...Object.keys(OTHER_YAML), 'rules']).toContain(
        key,
      );
    },
  );

  const configs = examples.filter(
    example => !(firstKeyOf(example) in OTHER_YAML),
  );

  it.each(configs.map(example => [nameOf(example), example] as const))(
    'is read by the gate as it is written: %s',
    (_, { value }) => {
      // Recipes consist of rules only.
      const written = Array.isArray(value)
        ? {
            auth: { apiGate: { allow: value } },
            events: { modules: { github: { webhookSecret: 's' } } },
          }
        : value;
      for (const key of Object.keys(written)) {
        expect(APP_CONFIG).toContain(key);
      }
      const auth = { externalAccess: [createToken()] };
      const backend = { baseUrl: BASE_URL, auth };
      const config = merge({ backend }, written);
      const gate = readApiGateConfig(new ConfigReader(config));
      expect(gate.allow).toHaveLength(
        written.auth?.apiGate?.allow?.length ?? 0,
      );
    },
  );
});
