import type { Redis } from 'ioredis';
import type { StreamSample } from './wire/decide-generation.js';
import type { Envelope } from './wire/envelope.js';
import type { SentItem } from './stream-lane.js';
import type { StreamPosition } from './stream-position.js';

/** The shared stream of anycast events, its approximate length, the Managers' group, the channel (state.md §2.1). */
const STREAM = 'events';
const MAX_LENGTH = 128;
const GROUP = 'manager';
export const BROADCAST_CHANNEL = 'events_all';
const CACHE_SECONDS = 300;

/** How long the stream's name for an entry is remembered: longer than an agent is down, and a moment after delivery. */
const MARK_SECONDS = 86_400;
const OLD_MARK_SECONDS = 60;
const SAMPLES = 32;
/** More than the stream should ever hold for slow readers. */
const MAX_COUNTED_LAG = 2 * MAX_LENGTH;

/**
 * Adds entries, all or none, each once: an entry that was added under the same mark before keeps the id that it got then,
 * whatever became of the connection, or the agent, that asked for it. The broadcast goes out with the entry.
 *
 * KEYS: stream, then a mark for each entry ('' = none). ARGV: length of the stream, life of a mark, channel, then for each
 * entry the text to publish ('' = none), the number of fields and values, and these.
 */
const ADD = `
local ids, at = {}, 4
for n = 2, #KEYS do
  local text, count = ARGV[at], tonumber(ARGV[at + 1])
  local id = KEYS[n] ~= '' and redis.call('GET', KEYS[n])
  if not id then
    id = redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', unpack(ARGV, at + 2, at + 1 + count))
    if KEYS[n] ~= '' then redis.call('SET', KEYS[n], id, 'EX', ARGV[2]) end
    if text ~= '' then redis.call('PUBLISH', ARGV[3], text) end
  end
  ids[#ids + 1] = id
  at = at + 2 + count
end
return ids`;

/**
 * Takes out entries that the group was not given, and forgets their marks; those that are gone as well. Answers 1 for each
 * that is out, 0 for each that was read meanwhile.
 *
 * KEYS: stream, then the marks. ARGV: group, then the ids.
 */
const WITHDRAW = `
local function parts(id)
  local ms, number = string.match(id, '(%d+)-(%d+)')
  return tonumber(ms), tonumber(number)
end
local lastMs, lastNumber = 0, 0
if redis.call('EXISTS', KEYS[1]) == 1 then
  for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
    local facts = {}
    for at = 1, #group, 2 do facts[group[at]] = group[at + 1] end
    if facts['name'] == ARGV[1] then lastMs, lastNumber = parts(facts['last-delivered-id']) end
  end
end
local out = {}
for n = 2, #KEYS do
  local ms, number = parts(ARGV[n])
  local isUnread = ms > lastMs or (ms == lastMs and number > lastNumber)
  if isUnread or #redis.call('XRANGE', KEYS[1], ARGV[n], ARGV[n]) == 0 then
    redis.call('XDEL', KEYS[1], ARGV[n])
    redis.call('DEL', KEYS[n])
    out[n - 1] = 1
  else
    out[n - 1] = 0
  end
end
return out`;

/** KEYS: marks. ARGV: their life. One command: making one for each mark held up what is announced meanwhile. */
const FORGET = `
for n = 1, #KEYS do redis.call('EXPIRE', KEYS[n], ARGV[1]) end`;

/** An entry to be added. Without a mark it may be added twice. */
export interface NewEntry {
  readonly outboxId: string | undefined;
  readonly envelope: Envelope;
  readonly isPublished: boolean;
}

/** The events' side of a Redis server: what is said to it and how its answers read. Every call ends within a second or so. */
export class EventStream {
  constructor(
    private readonly redis: Redis,
    private readonly agentId: string,
  ) {}

  /** The ids of the entries in the stream, in order. All or none are added. */
  async add(entries: readonly NewEntry[]): Promise<readonly string[]> {
    const keys = entries.map(({ outboxId }) => (outboxId === undefined ? '' : this.#mark(outboxId)));
    const args: (string | Buffer)[] = [String(MAX_LENGTH), String(MARK_SECONDS), BROADCAST_CHANNEL];
    for (const { envelope, isPublished } of entries) {
      args.push(isPublished ? envelope.channelText() : '', String(envelope.fields.length));
      for (const field of envelope.fields) args.push(typeof field === 'string' ? field : bufferOf(field));
    }
    return (await this.redis.eval(ADD, keys.length + 1, STREAM, ...keys, ...args)) as string[];
  }

  /** Which of them are not in the stream any more, nor known to it. */
  async withdraw(sent: readonly SentItem[]): Promise<readonly SentItem[]> {
    const keys = sent.map(({ item }) => (item.outboxId === undefined ? '' : this.#mark(item.outboxId)));
    const ids = sent.map(({ streamId }) => streamId);
    const out = (await this.redis.eval(WITHDRAW, keys.length + 1, STREAM, ...keys, GROUP, ...ids)) as number[];
    return sent.filter((_, at) => out[at] === 1);
  }

  /** They are delivered and nobody will ask for them again, except a command that is late. */
  async forget(outboxIds: readonly string[]): Promise<void> {
    const marks = outboxIds.map((id) => this.#mark(id));
    await this.redis.eval(FORGET, marks.length, ...marks, OLD_MARK_SECONDS);
  }

  /** Broadcasts, in order; with a key also kept for those who ask later (state.md §2.1). Which of them went out. */
  async publish(
    messages: readonly { readonly text: string; readonly cacheKey?: string }[],
  ): Promise<readonly boolean[]> {
    const sent: boolean[] = [];
    for (const { text, cacheKey } of messages) {
      const pipeline = this.redis.pipeline();
      if (cacheKey !== undefined) pipeline.set(cacheKey, text, 'EX', CACHE_SECONDS);
      pipeline.publish(BROADCAST_CHANNEL, text);
      const replies = (await pipeline.exec()) ?? [];
      sent.push(replies.length > 0 && replies.every(([error]) => error === null));
    }
    return sent;
  }

  /**
   * First the group, then the stream: what is still there then, and was passed before, was read. No transaction: a server
   * that is out of memory takes none.
   */
  async position(): Promise<StreamPosition> {
    const replies = await this.redis.pipeline().xinfo('GROUPS', STREAM).xrange(STREAM, '-', '+', 'COUNT', 1).exec();
    const [groups, oldest] = replies ?? [];
    if (oldest?.[0]) throw oldest[0];
    const group = groupIn(groups);
    const first = (oldest?.[1] as [string][] | undefined)?.[0]?.[0];
    if (group === undefined) return { lastDelivered: undefined, first, lag: 0 };
    return {
      lastDelivered: group.lastDelivered,
      first,
      lag: group.lag ?? (await this.#lagBehind(group.lastDelivered)),
    };
  }

  /** Those that are not in the stream. */
  async missing(ids: readonly string[]): Promise<ReadonlySet<string>> {
    const pipeline = this.redis.pipeline();
    for (const id of ids) pipeline.xrange(STREAM, id, id);
    const replies = (await pipeline.exec()) ?? [];
    const failure = replies.find(([error]) => error !== null)?.[0];
    if (failure) throw failure;
    return new Set(ids.filter((_, at) => (replies[at]?.[1] as unknown[] | undefined)?.length === 0));
  }

  /** The newest entries, and the server's time in milliseconds. */
  async samples(): Promise<{ readonly samples: readonly StreamSample[]; readonly nowMs: number }> {
    const [entries, [seconds]] = await Promise.all([
      this.redis.xrevrange(STREAM, '+', '-', 'COUNT', SAMPLES),
      this.redis.time(),
    ]);
    const samples = entries.map(([id, flat]) => {
      const names = flat.filter((_, at) => at % 2 === 0);
      return {
        id,
        name: flat[flat.indexOf('name') + 1] ?? '',
        hasArgs: names.includes('args'),
        hasPayload: names.includes('payload'),
      };
    });
    return { samples, nowMs: Number(seconds) * 1_000 };
  }

  #mark(outboxId: string): string {
    return `agent_outbox.${this.agentId}.${outboxId}`;
  }

  /** For servers that don't count it, or can't since entries were taken out. */
  async #lagBehind(id: string): Promise<number> {
    const entries = await this.redis.xrange(STREAM, `(${id}`, '+', 'COUNT', MAX_COUNTED_LAG);
    return entries.length;
  }
}

interface ReaderGroup {
  readonly lastDelivered: string;
  readonly lag: number | undefined;
}

/** Without a stream there is no group. */
function groupIn([error, reply]: readonly [error: Error | null, reply: unknown] = [null, []]): ReaderGroup | undefined {
  if (error?.message.includes('no such key')) return undefined;
  if (error) throw error;
  for (const flat of reply as unknown[][]) {
    const facts = new Map(flat.flatMap((name, at) => (at % 2 === 0 ? [[String(name), flat[at + 1]] as const] : [])));
    if (facts.get('name') !== GROUP) continue;
    const lag = facts.get('lag');
    return {
      lastDelivered: String(facts.get('last-delivered-id')),
      lag: typeof lag === 'number' ? lag : undefined,
    };
  }
  return undefined;
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
