import { writeFileSync } from 'node:fs';
import { relative } from 'node:path';

/**
 * A vitest reporter that leaves the outcome as JSON in the file $TEST_SUMMARY:
 * `{ passed, failed, skipped: [{ file, group, reason, count }] }`.
 *
 * The reason of a skipped test is the note of `skip(note)`, or what its name or that of a suite around it says in
 * brackets: `describe.skipIf(!hasNfs)('mounts [needs an NFS server]', …)`.
 */
export default class SummaryReporter {
  onTestRunEnd(modules, unhandledErrors) {
    const summary = { passed: 0, failed: unhandledErrors.length, skipped: [] };
    for (const module of modules) {
      // A file that could not even be loaded has no tests to fail.
      if (module.errors().length > 0) summary.failed += 1;
      for (const suite of module.children.allSuites()) summary.failed += suite.errors().length > 0 ? 1 : 0;
      for (const test of module.children.allTests()) this.count(test, summary);
    }
    writeFileSync(process.env.TEST_SUMMARY, JSON.stringify(summary));
  }

  count(test, summary) {
    const { state, note } = test.result();
    if (state === 'passed') summary.passed += 1;
    else if (state === 'failed') summary.failed += 1;
    else {
      const file = relative(process.cwd(), test.module.moduleId);
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
