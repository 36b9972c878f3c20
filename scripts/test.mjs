/**
 * `./backend.ai test [unit|contract|integration]… [-- VITEST OPTIONS]`: runs the test projects (all of them by default),
 * says at the end how many tests passed, failed and were skipped, and why. Exit status 1 if one failed.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const PROJECTS = ['unit', 'contract', 'integration'];
const NEED_ENGINE = ['contract', 'integration'];

const separator = process.argv.indexOf('--');
const words = process.argv.slice(2, separator < 0 ? undefined : separator);
const options = separator < 0 ? [] : process.argv.slice(separator + 1);
const unknown = words.filter((word) => !PROJECTS.includes(word));
if (unknown.length > 0) {
  console.error(
    `There is no test project '${unknown[0]}'.\nUse: ./backend.ai test [${PROJECTS.join('|')}]… [-- VITEST OPTIONS]`,
  );
  process.exit(2);
}
const projects = PROJECTS.filter((project) => words.length === 0 || words.includes(project));

/** Runs one project; a project that breaks down before it can say anything counts as one failure. */
function runProject(project) {
  const directory = mkdtempSync(join(tmpdir(), 'backend-ai-test-'));
  const summary = join(directory, 'summary.json');
  try {
    const vitest = join(root, 'node_modules/vitest/vitest.mjs');
    const reporters = ['--reporter=default', `--reporter=${join(root, 'scripts/lib/summary-reporter.mjs')}`];
    const { status } = spawnSync(
      process.execPath,
      [vitest, 'run', '--project', project, '--passWithNoTests', ...reporters, ...options],
      {
        cwd: root,
        stdio: 'inherit',
        // Its helper image could only come from a registry; the suites remove what they start.
        env: { ...process.env, TEST_SUMMARY: summary, TESTCONTAINERS_RYUK_DISABLED: 'true' },
      },
    );
    const outcome = JSON.parse(readFileSync(summary, 'utf8'));
    if (status !== 0 && outcome.failures.length === 0) outcome.failures.push(`${project}: exit status ${status}`);
    return outcome;
  } catch (error) {
    return { passed: 0, failures: [`${project}: did not run to the end: ${error.message}`], skipped: [] };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

const engineIsNeeded = projects.some((project) => NEED_ENGINE.includes(project));
const engine =
  !engineIsNeeded ||
  spawnSync(join(root, 'scripts/ensure-engine.sh'), [process.execPath], { stdio: ['ignore', 2, 2] }).status === 0;

const total = { passed: 0, skipped: 0 };
const reasons = [];
const broken = [];
for (const project of projects) {
  if (!engine && NEED_ENGINE.includes(project)) {
    reasons.push(`all ${project} tests: no container engine (what to do about it is said above)`);
    continue;
  }
  console.log(`\n── ${project} tests`);
  const { passed, failures, skipped } = runProject(project);
  broken.push(...failures);
  total.passed += passed;
  for (const { file, group, reason, count } of skipped) {
    total.skipped += count;
    reasons.push(`${count} of ${file} › ${group}: ${reason}`);
  }
}

console.log('');
for (const reason of reasons) console.log(`SKIPPED ${reason}`);
for (const failure of broken) console.log(`FAILED ${failure}`);
console.log(
  `${total.passed} passed, ${broken.length} failed, ${total.skipped} skipped${engine ? '' : ' (and whole projects, see above)'}`,
);
process.exitCode = broken.length > 0 ? 1 : 0;
