/** The layers of ARCHITECTURE.md as rules: `npm run rules` fails on a wrong arrow. */
const tests = '\\.(test|contract)\\.ts$';
module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'no-orphans',
      severity: 'error',
      from: { orphan: true, path: '^src/', pathNot: [tests, '\\.d\\.ts$', '^src/domain/'] },
      to: {},
    },
    {
      name: 'domain-is-pure',
      comment: 'Domain imports only itself and decimal.js.',
      severity: 'error',
      from: { path: '^src/domain', pathNot: tests },
      to: { pathNot: '^(src/domain|node_modules/decimal\\.js)' },
    },
    {
      name: 'application-knows-only-domain',
      comment: 'Use cases depend on domain and ports; inversify decorators are the one library.',
      severity: 'error',
      from: { path: '^src/application', pathNot: tests },
      to: { pathNot: '^(src/(domain|application)|node_modules/(inversify|decimal\\.js))' },
    },
    {
      name: 'adapters-do-not-know-each-other',
      severity: 'error',
      from: { path: '^src/adapters/([^/]+)/', pathNot: tests },
      to: { path: '^src/adapters/', pathNot: '^src/adapters/$1/' },
    },
    {
      name: 'nobody-imports-infrastructure',
      severity: 'error',
      from: { path: '^src/(domain|application|adapters)', pathNot: tests },
      to: { path: '^src/infrastructure' },
    },
    {
      name: 'runner-is-its-own-program',
      comment: 'The in-container runner shares the wire types with the agent and nothing else.',
      severity: 'error',
      from: { path: '^runner', pathNot: tests },
      to: { path: '^src', pathNot: '^src/domain/krunner-wire/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'require', 'node', 'default'] },
  },
};
