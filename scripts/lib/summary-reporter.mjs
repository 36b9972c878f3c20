import { writeFileSync } from 'node:fs';
import { relative } from 'node:path';

/**
 * A vitest reporter that leaves the outcome as JSON in the file $TEST_SUMMARY:
 * `{ passed, failures, skipped: [{ file, group, reason, count }] }`, a line for each failure.
 *
 * The reason of a skipped test is the note of `skip(note)`, or what its name or that of a suite around it says in
 * brackets: `describe.skipIf(!hasNfs)('mounts [needs an NFS server]', …)`.
 */
export default class SummaryReporter {
  onTestRunEnd(modules, unhandledErrors) {
    const summary = { passed: 0, failures: [], skipped: [] };
    const fail = (where, errors) => summary.failures.push(`${where}: ${firstLine(errors)}`);
    for (const error of unhandledErrors) fail('outside of any test', [error]);
    for (const module of modules) {
      const file = fileOf(module);
      // A file that could not even be loaded has no tests to fail.
      if (module.errors().length > 0) fail(file, module.errors());
      for (const suite of module.children.allSuites()) {
        if (suite.errors().length > 0) fail(`${file} › ${suite.fullName}`, suite.errors());
      }
      for (const test of module.children.allTests()) this.count(test, summary, fail);
    }
    writeFileSync(process.env.TEST_SUMMARY, JSON.stringify(summary));
  }

  count(test, summary, fail) {
    const { state, note, errors } = test.result();
    const file = fileOf(test.module);
    if (state === 'passed') summary.passed += 1;
    else if (state === 'failed') fail(`${file} › ${test.fullName}`, errors);
    else {
      const group = test.fullName.split(' > ')[0];
      const reason =
        note ?? /\[(needs [^\]]+)\]/.exec(test.fullName)?.[1] ?? 'its condition is not met on this machine';
      const known = summary.skipped.find(
        (each) => each.file === file && each.group === group && each.reason === reason,
      );
      if (known) known.count += 1;
      else summary.skipped.push({ file, group, reason, count: 1 });
    }
  }
}

const fileOf = ({ moduleId }) => relative(process.cwd(), moduleId);

function firstLine(errors) {
  const [error] = errors ?? [];
  return String(error?.message ?? error ?? 'no reason was given').split('\n', 1)[0];
}
