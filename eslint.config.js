import eslint from '@eslint/js'
import tseslint from 'typescript-eslint'

/** Dependencies point inward: what each folder under src/ may not import. Source: docs/architecture.md. */
const inward = (folder, forbidden, message) => ({
  files: [`src/${folder}/**/*.ts`],
  rules: {
    'no-restricted-imports': [
      'error',
      { patterns: forbidden.map((regex) => ({ regex, message: `${folder}: ${message}` })) },
    ],
  },
})

const xmppModules = '^@xmpp/(?!xml$)'
const outside = (own) =>
  [
    'asterisk',
    'xmpp',
    'pubsub',
    'nodes',
    'journal',
    'observe',
    'config',
    'cli',
    'doctor',
    'daemon',
    'main',
    'bridge',
  ]
    .filter((folder) => !own.includes(folder))
    .map((folder) => `^(\\.\\./)+${folder}(/|\\.js$)`)

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', '.lab/'] },
  eslint.configs.recommended,
  tseslint.configs.strictTypeChecked,
  {
    languageOptions: {
      parserOptions: {
        projectService: { allowDefaultProject: ['eslint.config.js'] },
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: false, requireDefaultForNonUnion: true },
      ],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-confusing-void-expression': [
        'error',
        { ignoreArrowShorthand: true, ignoreVoidReturningFunctions: true },
      ],
      'max-lines': ['error', { max: 400, skipBlankLines: true, skipComments: true }],
    },
  },
  { files: ['test/**', 'bench/**'], rules: { 'max-lines': 'off' } },
  {
    files: ['test/**/*.test.ts'],
    rules: {
      'no-restricted-syntax': [
        'error',
        {
          selector:
            "CallExpression[callee.object.name='fc'][callee.property.name='assert']:not([arguments.1.callee.name='onSeed'])",
          message: 'a test passes every time: give it `onSeed(runs)` of test/search/seed.ts',
        },
        {
          selector: "MemberExpression[object.name='Math'][property.name='random']",
          message:
            'a test passes every time: take its random numbers from the seed of test/search/seed.ts',
        },
      ],
    },
  },
  { files: ['**/*.js'], extends: [tseslint.configs.disableTypeChecked] },
  inward(
    'bridge',
    [...outside(['bridge']), '^(node:|ltx$|pino$|yargs$|zod$|yaml$|@xmpp/)'],
    'the domain is pure; declare a port instead',
  ),
  inward(
    'nodes',
    [...outside(['nodes', 'bridge']), xmppModules],
    'codecs know only XML and the domain',
  ),
  inward(
    'asterisk',
    [...outside(['asterisk', 'bridge']), '^(ltx$|@xmpp/)'],
    'the Asterisk edge knows only SIP and the domain',
  ),
  inward('journal', [...outside(['journal', 'bridge'])], 'implements a port of the domain'),
  inward(
    'pubsub',
    [...outside(['pubsub', 'nodes', 'xmpp', 'bridge']), xmppModules],
    'verbs go through src/xmpp',
  ),
  inward('xmpp', [...outside(['xmpp'])], 'the connection knows nothing of the cluster'),
  inward('observe', [...outside(['observe', 'bridge'])], 'implements a port of the domain'),
  inward(
    'config',
    [...outside(['config', 'bridge']), xmppModules],
    'configuration is loaded before anything else',
  ),
  inward(
    'doctor',
    [
      ...outside([
        'doctor',
        'asterisk',
        'xmpp',
        'pubsub',
        'nodes',
        'journal',
        'observe',
        'config',
        'bridge',
      ]),
      xmppModules,
    ],
    'the checks look at every part, and only a command runs them',
  ),
  inward('cli', [xmppModules], 'only src/xmpp imports the @xmpp modules'),
)
