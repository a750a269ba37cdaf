// Writes what only the owner knows, from `.ci/publish/owner.json`, into the files that need it: `node .ci/publish/writeOwner.js [--check |
// --complete]`. `--check` fails if a file differs, and `--complete` also if a field is empty. `npm version` runs `--complete`.
const fs = require('node:fs');
const path = require('node:path');

const root = path.resolve(__dirname, '../..');
const OWNER = '.ci/publish/owner.json';

const NAME = [/^[^'"<>\n]+$/, "text without quotes, '<' or '>'"];
const DAYS = [/^[1-9]\d?$/, 'a number of days, such as "7"'];
const ADDRESS = [
  /^https:\/\/[\w.-]+(\/[\w.~-]+)*$/,
  'an https address without a slash at its end',
];

/** What each field has to be. Those that another field gives are not here: `bugs`, `homepage`, the documentation and the icon. */
const FIELDS = {
  repository: [
    /^https:\/\/github\.com\/[\w-]+\/[\w.-]+(?<!\.git)$/,
    'https://github.com/OWNER/NAME, without .git',
  ],
  author: NAME,
  authorUrl: ADDRESS,
  catalogOwner: [
    /^(group|user):([\w.-]+\/)?[\w.-]+$/,
    'an entity reference, such as group:default/security',
  ],
  securityContact: [
    /^([\w.+-]+@[\w.-]+|https:\/\/\S+)$/,
    'an e-mail address or an https address',
  ],
  answerDays: DAYS,
  fixDays: DAYS,
  addedDate: [/^\d{4}-\d\d-\d\d$/, 'the day of the entry, such as 2027-01-31'],
};

/** Returns what each place has, by file: a pattern that matches once, and the text there. */
function placesOf(owner) {
  const { repository } = owner;
  const { name, version } = JSON.parse(
    fs.readFileSync(path.join(root, 'package.json'), 'utf8'),
  );
  const line = (key, value) => [
    new RegExp(`(?<=^ *(?:- )?${key}: ).*$`, 'm'),
    value ? `'${value}'` : "''",
  ];
  const json = (key, value) => [new RegExp(`(?<="${key}": ").*(?=")`), value];
  const marked = (mark, text) => [
    new RegExp(`(?<=<!-- ${mark} -->)[^]*(?=<!-- /${mark} -->)`),
    text,
  ];
  const workflow = `${repository}/actions/workflows/ci.yml`;
  const scorecard = repository.replace('https://', '');
  const badges = [
    `[![npm](https://img.shields.io/npm/v/${name})](https://www.npmjs.com/package/${name})`,
    `[![CI](${workflow}/badge.svg)](${workflow})`,
    `[![OpenSSF Scorecard](https://api.scorecard.dev/projects/${scorecard}/badge)](https://scorecard.dev/viewer/?uri=${scorecard})`,
  ].join('\n');
  // npm makes the addresses of links and pictures absolute, but not these.
  const darkPictures = ['before-after-dark', 'page-dark'].map(picture => [
    new RegExp(`(?<=srcset=")[^"]*docs/images/${picture}\\.png`),
    `${repository && `${repository}/raw/HEAD/`}docs/images/${picture}.png`,
  ]);
  const { answerDays, fixDays } = owner;
  return {
    'README.md': [
      ...darkPictures,
      marked('badges', repository && `\n\n${badges}\n\n`),
    ],
    'SECURITY.md': [
      marked(
        'contact',
        owner.securityContact && ` or by ${owner.securityContact}`,
      ),
      marked('answer', answerDays && ` within ${answerDays} days`),
      marked(
        'fix',
        fixDays ? ` within ${fixDays} days` : ' as soon as possible',
      ),
    ],
    'plugin-directory/api-gate.yaml': [
      line('author', owner.author),
      line('authorUrl', owner.authorUrl),
      line('documentation', repository && `${repository}#readme`),
      line(
        'iconUrl',
        repository && `${repository}/raw/HEAD/docs/images/icon.svg`,
      ),
      line('addedDate', owner.addedDate),
    ],
    'catalog-info.yaml': [
      line(
        'backstage.io/source-location',
        repository && `url:${repository}/tree/HEAD/`,
      ),
      line('owner', owner.catalogOwner || 'maintainers'),
    ],
    'rhdh/CODEOWNERS': [[/(?<=@).*/, repository.split('/')[3] ?? '']],
    'rhdh/workspaces/api-gate/source.json': [
      json('repo', repository),
      json('repo-ref', `v${version}`),
    ],
    [`rhdh/workspaces/api-gate/metadata/${name}.yaml`]: [
      line('url', repository),
      line('backstage.io/source-location', repository && `url:${repository}`),
      line('version', version),
      line('author', owner.author),
    ],
    'rhdh/catalog-entities/extensions/plugins/api-gate.yaml': [
      line('url', repository),
      line('authors:\\n    - name', owner.author),
      line('publisher', owner.author),
      line('provider', owner.author),
    ],
  };
}

/** Returns the text of package.json with the fields that npm shows, or without them. */
function manifestWith({ repository, author, authorUrl }, text) {
  const {
    author: _author,
    homepage: _homepage,
    bugs: _bugs,
    repository: _repository,
    ...manifest
  } = JSON.parse(text);
  const owned = {
    ...(author && { author: { name: author, url: authorUrl || undefined } }),
    ...(repository && {
      homepage: `${repository}#readme`,
      bugs: { url: `${repository}/issues` },
      repository: {
        type: 'git',
        url: `git+${repository}.git`,
        directory: '.',
      },
    }),
  };
  const entries = Object.entries(manifest).flatMap(entry =>
    entry[0] === 'license' ? [entry, ...Object.entries(owned)] : [entry],
  );
  return `${JSON.stringify(Object.fromEntries(entries), null, 2)}\n`;
}

function textWith(places, text, file) {
  return places.reduce((result, [pattern, value]) => {
    const found = result.match(new RegExp(pattern, `${pattern.flags}g`)) ?? [];
    if (found.length !== 1) {
      throw new Error(`${file} has ${found.length} places for ${pattern}`);
    }
    // A function, since `$` in a text would have a meaning.
    return result.replace(pattern, () => value);
  }, text);
}

function main(option) {
  const read = file => fs.readFileSync(path.join(root, file), 'utf8');
  const owner = JSON.parse(read(OWNER));
  const errors = Object.keys(owner)
    .filter(field => !(field in FIELDS))
    .map(field => `${OWNER}: there is no field ${field}`);
  for (const [field, [pattern, wanted]] of Object.entries(FIELDS)) {
    if (!owner[field]) {
      owner[field] = '';
      if (option === '--complete') {
        errors.push(`${OWNER}: ${field} is empty, write ${wanted}`);
      }
    } else if (!pattern.test(owner[field])) {
      errors.push(`${OWNER}: ${field} must be ${wanted}`);
    }
  }
  if (errors.length === 0) {
    const files = {
      'package.json': text => manifestWith(owner, text),
    };
    for (const [file, places] of Object.entries(placesOf(owner))) {
      files[file] = text => textWith(places, text, file);
    }
    for (const [file, write] of Object.entries(files)) {
      const text = read(file);
      const wanted = write(text);
      if (text !== wanted && option) {
        errors.push(
          `${file} is not what ${OWNER} says: run node .ci/publish/writeOwner.js`,
        );
      } else if (text !== wanted) {
        fs.writeFileSync(path.join(root, file), wanted);
      }
    }
  }
  for (const error of errors) {
    console.error(error);
  }
  process.exitCode = errors.length > 0 ? 1 : 0;
}

main(process.argv[2]);
