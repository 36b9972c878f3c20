import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ContainerState, ContainerSummary } from '../../application/ports/container-engine.port.js';
import { ContainerTimeline } from './container-timeline.js';

const SECOND = 1_000_000_000n;
const none: ReadonlySet<string> = new Set();
const container = (id: string, state: ContainerState): ContainerSummary => ({
  id,
  name: `n-${id}`,
  state,
  labels: { l: id },
});
const event = (action: 'create' | 'start' | 'die' | 'oom' | 'destroy', containerId: string) => ({
  action,
  containerId,
  name: `n-${containerId}`,
  attributes: { l: containerId },
});
const actionsOf = (timeline: ContainerTimeline, list: ContainerSummary[]): string[] =>
  timeline.infer(list, none).map(({ action, containerId }) => `${action} ${containerId}`);

describe('ContainerTimeline', () => {
  it('resumes at the time asked for, then a second before the newest event, with nanoseconds', () => {
    const timeline = new ContainerTimeline(5_000);
    expect(timeline.resumeFrom).toBe('5.000000000');
    timeline.accept(event('create', 'a'), 5n * SECOND + 1n);
    expect(timeline.resumeFrom).toBe('5.000000000');
    timeline.accept(event('start', 'a'), 9n * SECOND + 7n);
    expect(timeline.resumeFrom).toBe('8.000000007');
  });

  it('drops what it saw, takes what is late, and tells equal actions of other times apart', () => {
    const timeline = new ContainerTimeline(0);
    expect(timeline.accept(event('die', 'a'), 10n * SECOND)).toBe(true);
    expect(timeline.accept(event('die', 'a'), 10n * SECOND)).toBe(false);
    expect(timeline.accept(event('die', 'a'), 10n * SECOND + 1n)).toBe(true);
    expect(timeline.accept(event('die', 'b'), 9n * SECOND + 5n)).toBe(true);
  });

  it('infers nothing when events and list agree', () => {
    const timeline = new ContainerTimeline(0);
    timeline.adopt([container('a', 'running'), container('b', 'created'), container('old', 'exited')]);
    timeline.accept(event('start', 'b'), 1n);
    timeline.accept(event('die', 'a'), 2n);
    const list = [container('a', 'exited'), container('b', 'running'), container('old', 'dead')];
    expect(actionsOf(timeline, list)).toEqual([]);
  });

  it('infers each kind of change, with the labels known', () => {
    const timeline = new ContainerTimeline(0);
    timeline.adopt(['died', 'gone', 'kept'].map((id) => container(id, 'running')));
    timeline.adopt([container('ran', 'created'), container('removed', 'exited')]);
    const list = [
      container('died', 'exited'),
      container('kept', 'paused'),
      container('ran', 'exited'),
      container('new', 'created'),
      container('live', 'running'),
      container('brief', 'exited'),
    ];
    const missed = timeline.infer(list, none);
    expect(missed.map(({ action, containerId }) => `${action} ${containerId}`)).toEqual([
      'die died',
      'die gone',
      'destroy gone',
      'destroy removed',
      'start ran',
      'die ran',
      'create new',
      'create live',
      'start live',
      'create brief',
      'start brief',
      'die brief',
    ]);
    expect(missed[0]).toMatchObject({ name: 'n-died', attributes: { l: 'died' } });
  });

  it('does not judge a container by a list older than its newest event', () => {
    const timeline = new ContainerTimeline(0);
    timeline.accept(event('create', 'a'), 1n);
    timeline.accept(event('start', 'a'), 2n);
    expect(timeline.infer([container('a', 'created')], new Set(['a']))).toEqual([]);
  });

  it('tells the late original of an inferred event no second time, but a new life', () => {
    const timeline = new ContainerTimeline(0);
    timeline.adopt([container('a', 'running')]);
    timeline.assume(timeline.infer([container('a', 'exited')], none), 20n * SECOND);
    expect(timeline.accept(event('oom', 'a'), 9n * SECOND)).toBe(true);
    expect(timeline.accept(event('die', 'a'), 10n * SECOND)).toBe(false);
    expect(timeline.accept(event('start', 'a'), 11n * SECOND)).toBe(true);
    expect(timeline.accept(event('die', 'a'), 12n * SECOND)).toBe(true);
  });

  it('tells an event after the time of repetitions', () => {
    const timeline = new ContainerTimeline(0);
    timeline.adopt([container('a', 'running')]);
    timeline.assume(timeline.infer([], none), 20n * SECOND);
    expect(timeline.accept(event('die', 'a'), 21n * SECOND)).toBe(true);
  });

  it('agrees with any list after assuming what it inferred', () => {
    const state = fc.constantFrom<ContainerState>('created', 'running', 'paused', 'exited', 'dead', 'removing');
    const list = fc
      .uniqueArray(fc.record({ id: fc.constantFrom('a', 'b', 'c', 'd'), state }), { selector: ({ id }) => id })
      .map((all) => all.map(({ id, state: each }) => container(id, each)));
    fc.assert(
      fc.property(fc.array(list, { minLength: 1 }), (lists) => {
        const timeline = new ContainerTimeline(0);
        for (const each of lists) {
          // What can't be seen in a list: a container that was removed and dead at once.
          const settled = each.filter(({ state: now }) => now !== 'dead' && now !== 'removing');
          timeline.assume(timeline.infer(settled, none), 0n);
          expect(timeline.infer(settled, none)).toEqual([]);
        }
      }),
    );
  });
});
