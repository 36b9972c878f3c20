import { describe, expect, it } from 'vitest';
import { MAX_NAMED_RUNS, MAX_RUN_NAME } from '../src/domain/krunner-wire/krunner-wire.js';
import { NamedRuns } from './named-runs.js';

describe('NamedRuns', () => {
  it('gives a name to the next run alone and keeps its exit code', () => {
    const runs = new NamedRuns();
    runs.name('a');
    expect([runs.begin(), runs.begin()]).toEqual(['a', undefined]);
    expect([...runs.all()]).toEqual([['a', null]]);
    runs.end('a', -2);
    expect([...runs.all()]).toEqual([['a', -2]]);
  });

  it('takes no name that is empty or too long, and then not the one before either', () => {
    const runs = new NamedRuns();
    runs.name('a');
    runs.name('x'.repeat(MAX_RUN_NAME + 1));
    expect(runs.begin()).toBeUndefined();
    runs.name('');
    expect(runs.begin()).toBeUndefined();
  });

  it('forgets the oldest that is over first', () => {
    const runs = new NamedRuns();
    for (let number = 0; number <= MAX_NAMED_RUNS; number += 1) {
      runs.name(String(number));
      runs.begin();
      if (number === 1) runs.end('1', 0);
    }
    expect(runs.all().size).toBe(MAX_NAMED_RUNS);
    expect(runs.all().has('0')).toBe(true);
    expect(runs.all().has('1')).toBe(false);
  });
});
