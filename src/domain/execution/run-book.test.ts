import { describe, expect, it } from 'vitest';
import { kernelTerminated } from '../error/errors.js';
import { RunBook, type RunLimits } from './run-book.js';

const limits: RunLimits = { outputCapacity: 10_000, waiting: 3, ended: 2 };
const OK = '{"exitCode": 0}';

describe('RunBook', () => {
  it('activates runs one at a time in the order in which they came', () => {
    const book = new RunBook(limits);
    const [a, b] = [book.start('a'), book.start('b')];
    expect(book.next()).toBe(a);
    expect(book.next()).toBeUndefined();
    expect([a.phase, b.phase]).toEqual(['active', 'waiting']);
    book.record('finished', OK);
    expect(a.phase).toBe('done');
    expect(book.next()).toBe(b);
    expect(book.active).toBe(b);
  });

  it('drops what nobody started: output between runs belongs to none', () => {
    const book = new RunBook(limits);
    expect(book.record('stdout', 'stray')).toBeUndefined();
    const run = book.start('a');
    book.next();
    book.record('finished', OK);
    book.record('stdout', 'stray');
    expect(run.take()).toMatchObject({ status: 'finished', console: [] });
  });

  it('keeps ended runs until they are read, but only so many', () => {
    const book = new RunBook(limits);
    for (const id of ['a', 'b', 'c']) {
      book.start(id);
      book.next();
      book.record('stdout', `from ${id}`);
      book.record('finished', OK);
    }
    expect(book.find('a')).toBeUndefined();
    expect(book.find('b')?.take().console).toEqual([['stdout', 'from b']]);
    expect(book.find('c')?.take().console).toEqual([['stdout', 'from c']]);
  });

  it('tells the end of a read run again, for those whose answer got lost', () => {
    const book = new RunBook(limits);
    book.start('a');
    book.next();
    book.record('finished', '{"exitCode": 7}');
    expect(book.find('a')?.take().exitCode).toBe(7);
    expect(book.find('a')?.take()).toMatchObject({ status: 'finished', exitCode: 7, console: [] });
  });

  it('means the new run by an id that is used again', () => {
    const book = new RunBook(limits);
    book.start('same');
    book.next();
    book.record('finished', '{"exitCode": 1}');
    const second = book.start('same');
    expect(book.find('same')?.phase).toBe('done');
    book.next();
    expect(book.find('same')).toBe(second);
  });

  it('gives each mark to one reading, with the output before it', () => {
    const book = new RunBook(limits);
    const run = book.start('a');
    book.next();
    book.record('stdout', '1');
    book.record('waiting-input', '{"is_password": false}');
    book.record('stderr', '2');
    book.record('clean-finished', OK);
    book.record('build-finished', OK);
    book.record('stdout', '3');
    const read = () => {
      const { status, console } = run.take();
      return [status, console];
    };
    expect(read()).toEqual(['waiting-input', [['stdout', '1']]]);
    expect(read()).toEqual(['clean-finished', [['stderr', '2']]]);
    expect(read()).toEqual(['build-finished', []]);
    expect(run.hasNews).toBe(false);
    expect(read()).toEqual(['continued', [['stdout', '3']]]);
    expect(read()).toEqual(['continued', []]);
  });

  it('bounds marks without end, but never loses the last one', () => {
    const book = new RunBook(limits);
    const run = book.start('a');
    book.next();
    for (let count = 0; count < 100_000; count += 1) book.record('waiting-input', '');
    book.record('finished', OK);
    let asked = 0;
    while (run.take().status === 'waiting-input') asked += 1;
    expect(asked).toBe(256);
    expect(run.isRead).toBe(true);
  });

  it('shares one capacity among all unread output of a run, and has it back after reading', () => {
    const book = new RunBook({ ...limits, outputCapacity: 1000 });
    const run = book.start('a');
    book.next();
    book.record('stdout', 'x'.repeat(600));
    book.record('build-finished', OK);
    book.record('stdout', 'y'.repeat(600));
    expect(run.output.isCrowded).toBe(true);
    expect(run.take().console).toEqual([['stdout', 'x'.repeat(600)]]);
    const [kept, notice] = run.take().console;
    expect(kept).toEqual(['stdout', 'y'.repeat(1000 - 632 - 32)]);
    expect(notice?.[1]).toContain('264 characters');
    book.record('stdout', 'z'.repeat(900));
    expect(run.take().console).toEqual([['stdout', 'z'.repeat(900)]]);
  });

  it('ends all that is not over when it is told to', () => {
    const book = new RunBook(limits);
    const [a, b, c] = [book.start('a'), book.start('b'), book.start('c')];
    book.next();
    book.record('finished', OK);
    book.next();
    expect(book.failAll(kernelTerminated('gone'))).toEqual([b, c]);
    expect(a.take().status).toBe('finished');
    expect(() => b.take()).toThrow('gone');
    expect(() => c.take()).toThrow('gone');
    expect(book.next()).toBeUndefined();
  });

  it('takes only waiting runs out of the line', () => {
    const book = new RunBook(limits);
    const [a, b] = [book.start('a'), book.start('b')];
    book.next();
    book.withdraw(a);
    book.withdraw(b);
    expect([a.phase, b.phase]).toEqual(['active', 'failed']);
    book.record('finished', OK);
    expect(book.next()).toBeUndefined();
  });

  it('claims an unknown run in a recovered kernel once, also one that has ended already', () => {
    const book = new RunBook(limits, true);
    book.record('stdout', 'x');
    book.record('finished', '{"exitCode": 5}');
    expect(book.find('batch-job')?.take()).toMatchObject({
      status: 'finished',
      exitCode: 5,
      console: [['stdout', 'x']],
    });
    expect(book.find('batch-job')?.take()).toMatchObject({ status: 'finished', exitCode: 5 });
    expect(book.find('other')).toBeUndefined();
  });

  it('lets a claimed run that is alive finish before the next', () => {
    const book = new RunBook(limits, true);
    const claimed = book.find('batch-job');
    book.record('stdout', 'alive');
    claimed?.take();
    const next = book.start('a');
    expect(book.next()).toBeUndefined();
    book.record('finished', OK);
    expect(book.next()).toBe(next);
  });
});
