import tseslint from 'typescript-eslint';

/** Time and randomness are ports: the pure layers may not read them from the runtime. */
const pureLayers = {
  files: ['src/domain/**/*.ts', 'src/application/**/*.ts'],
  ignores: ['**/*.test.ts'],
  rules: {
    'no-restricted-globals': [
      'error',
      ...['setTimeout', 'setInterval', 'setImmediate', 'fetch', 'process', 'Buffer'].map((name) => ({
        name,
        message: 'Use a port (Clock, Scheduler, ...) in domain and application.',
      })),
    ],
    'no-restricted-properties': [
      'error',
      { object: 'Date', property: 'now', message: 'Use the Clock port.' },
      { object: 'Math', property: 'random', message: 'Use the IdGenerator port.' },
      { object: 'performance', property: 'now', message: 'Use the Clock port.' },
    ],
    'no-restricted-imports': ['error', { patterns: ['node:*', '!node:path'] }],
  },
};

export default tseslint.config(
  { ignores: ['dist/**', 'node_modules/**', '.runtime/**', '.node/**', 'out/**', 'runner/drivers/**'] },
  ...tseslint.configs.strictTypeChecked.map((config) => ({ ...config, files: ['**/*.ts'] })),
  {
    files: ['**/*.ts'],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/no-extraneous-class': 'off',
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/unbound-method': 'off',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      eqeqeq: ['error', 'always'],
      'no-console': 'error',
    },
  },
  pureLayers,
  {
    files: ['**/*.test.ts', 'test/**/*.ts'],
    rules: {
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
    },
  },
  { files: ['src/adapters/cli/**/*.ts', 'scripts/**/*.ts', 'test/bench/**/*.ts'], rules: { 'no-console': 'off' } },
);
