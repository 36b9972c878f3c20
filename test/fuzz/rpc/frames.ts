import { readFileSync } from 'node:fs';
import type { Random } from '../random.js';
import { array, binary, extension, map, string, value } from './documents.js';
import { pickle } from './pickles.js';

/** Messages for the ROUTER: sound ones, nearly sound ones, and others. */
export type Message = Buffer[];

const METHODS = (
  'ping health health_v2 gather_hwinfo gather_hwinfo_v2 ping_kernel check_pulling check_creating check_running ' +
  'sync_kernel_registry check_and_pull create_kernels create_kernel destroy_kernel interrupt_kernel get_completions ' +
  'get_logs get_status restart_kernel execute execute_code trigger_batch_execution start_service shutdown_service ' +
  'get_commit_status commit push_image purge_images get_local_config upload_file download_file download_single ' +
  'list_files shutdown_agent create_local_network destroy_local_network reset_agent assign_port release_port ' +
  'scan_gpu_alloc_map update_scaling_group'
).split(' ');
const PARAMETERS =
  'kernel_id session_id code timeout_seconds timeout opts reason suppress_events canonical filename extra_labels req'.split(
    ' ',
  );
const KERNEL = string('11111111-1111-4111-8111-111111111111');
const SESSION = string('22222222-2222-4222-8222-222222222222');
const UPPER = Buffer.from('UPPER');
const NIL = Buffer.of(0xc0);
const IMAGE = string('cr.example.com/stable/python:3.12');
const ORDER_KEYS = [binary(Buffer.alloc(0)), string(''), string('k'), binary(Buffer.of(1, 2, 3))];

/** Arguments that each method takes; nearly all damage begins with something sound. */
const SOUND: Readonly<Record<string, readonly Buffer[]>> = {
  ping: [string('ping')],
  ping_kernel: [KERNEL],
  check_pulling: [IMAGE],
  check_creating: [KERNEL],
  check_running: [KERNEL],
  sync_kernel_registry: [array([array([KERNEL, SESSION])])],
  check_and_pull: [map([[IMAGE, map([[string('canonical'), IMAGE]])]])],
  create_kernel: [
    map([
      [string('kernel_id'), KERNEL],
      [string('image'), IMAGE],
    ]),
  ],
  destroy_kernel: [KERNEL, SESSION],
  interrupt_kernel: [KERNEL],
  get_completions: [KERNEL, string('os.'), map([])],
  get_logs: [KERNEL],
  get_status: [KERNEL],
  restart_kernel: [SESSION, KERNEL, NIL, map([])],
  execute: [SESSION, KERNEL, Buffer.of(3), string('r'), string('query'), string('1'), map([]), Buffer.of(2)],
  execute_code: [KERNEL, string('1')],
  trigger_batch_execution: [SESSION, KERNEL, string('exit 0'), NIL],
  start_service: [KERNEL, string('ttyd'), map([])],
  shutdown_service: [KERNEL, string('ttyd')],
  get_commit_status: [KERNEL, string('a_b.c')],
  commit: [KERNEL, string('a_b.c'), IMAGE],
  push_image: [IMAGE, map([])],
  purge_images: [array([IMAGE]), Buffer.of(0xc2), Buffer.of(0xc3)],
  upload_file: [KERNEL, string('a'), binary(Buffer.alloc(300, 1))],
  download_file: [KERNEL, string('a')],
  download_single: [KERNEL, string('a')],
  list_files: [KERNEL, string('.')],
  shutdown_agent: [Buffer.of(0xc3)],
  create_local_network: [string('bai-x')],
  destroy_local_network: [string('bai-x')],
  release_port: [Buffer.of(0xcd, 0x75, 0x30)],
  update_scaling_group: [string('gpu')],
};

/** What a real Manager 26.9.6 sent: header and body. */
const RECORDED: readonly (readonly [Buffer, Buffer])[] = readFileSync(
  new URL('../../fixtures/rpc/manager-frames.ndjson', import.meta.url),
  'utf8',
)
  .split('\n')
  .filter((line) => line.includes('"what": "request"'))
  .map((line) => JSON.parse(line) as { readonly header_b64: string; readonly body_b64: string })
  .map(({ header_b64, body_b64 }) => [Buffer.from(header_b64, 'base64'), Buffer.from(body_b64, 'base64')]);

function header(random: Random, seq: number, method: string): Buffer {
  const odd = random.chance(12);
  const type = odd ? value(random) : Buffer.of(random.pick([1, 1, 1, 1, 5, 0, 2, 3, 4, 6, 7]));
  const entries: (readonly [Buffer, Buffer])[] = [
    [string('type'), random.chance(85) ? Buffer.of(1) : type],
    [string('meth'), string(random.chance(95) ? method : random.pick(['', 'x'.repeat(40), '__proto__', 'é']))],
    [string('okey'), random.chance(96) ? random.pick(ORDER_KEYS) : value(random)],
    [string('seq'), random.chance(95) ? Buffer.concat([Buffer.of(0xce), sequence(seq)]) : value(random)],
    [string('zip'), Buffer.of(random.chance(94) ? 0xc2 : random.pick([0xc3, 0xc0, 0x01]))],
  ];
  if (random.chance(4)) entries.splice(random.below(entries.length), 1);
  if (random.chance(4)) entries.push(random.pick(entries));
  if (random.chance(4)) entries.reverse();
  return map(entries);
}

function sequence(seq: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(seq >>> 0);
  return bytes;
}

function argument(random: Random): Buffer {
  const roll = random.below(10);
  if (roll < 3) return KERNEL;
  if (roll < 5) return SESSION;
  if (roll < 6) return extension(random.pick([3, 6, 7, 8, 9, 16]), pickle(random));
  return value(random);
}

/** Mostly what the method takes, with one of them changed, one more or one less. */
function argumentsOf(random: Random, method: string): Buffer[] {
  const sound = SOUND[method] ?? [];
  if (random.chance(20)) return Array.from({ length: random.below(9) }, () => argument(random));
  const given = [...sound];
  if (random.chance(50)) given[random.below(Math.max(1, given.length))] = argument(random);
  if (random.chance(10)) given.push(argument(random));
  if (random.chance(10)) given.pop();
  return given;
}

function envelope(random: Random, method: string): Buffer {
  if (random.chance(5)) return value(random);
  const args = array(argumentsOf(random, method));
  const names = Array.from({ length: random.pick([0, 0, 0, 1, 1, 4]) }, () => random.pick(PARAMETERS));
  const kwargs = map([
    ...names.map((name) => [string(name), argument(random)] as const),
    ...(method.endsWith('_v2') ? [[string('req'), map([])] as const] : []),
    ...(random.chance(50) ? [[string('agent_id'), random.pick([string('i-test'), Buffer.of(0xc0)])] as const] : []),
  ]);
  const entries: (readonly [Buffer, Buffer])[] = [
    [string('args'), args],
    [string('kwargs'), kwargs],
  ];
  if (random.chance(50)) entries.push([string('metadata'), value(random)]);
  return map(entries);
}

function body(random: Random, method: string): Buffer {
  const meta = random.chance(92) ? binary(Buffer.alloc(0)) : value(random);
  const inner = random.chance(94) ? binary(envelope(random, method)) : value(random);
  return map([
    [string('meta'), meta],
    [string('body'), inner],
  ]);
}

/** A Snappy block: its length, then one literal. */
function snappy(bytes: Buffer): Buffer {
  const size = bytes.length & 0x7f;
  return Buffer.concat([Buffer.of(size, (size - 1) << 2), bytes.subarray(0, size)]);
}

function damaged(random: Random, message: Message): Message {
  const at = random.chance(50) ? message.length - 1 : random.below(message.length);
  const frame = Buffer.from(message[at] ?? Buffer.alloc(0));
  switch (random.below(7)) {
    case 0:
      message.splice(at, 1);
      break;
    case 1:
      message.splice(at, 0, random.bytes(random.below(20)));
      break;
    case 2:
      message[at] = frame.subarray(0, random.below(frame.length + 1));
      break;
    case 3:
      message[at] = Buffer.concat([frame, random.bytes(1 + random.below(9))]);
      break;
    case 4:
      message[at] = snappy(frame);
      break;
    default:
      if (frame.length > 0) frame[random.below(frame.length)] = random.below(256);
      message[at] = frame;
  }
  return message.length === 0 ? [Buffer.alloc(0)] : message;
}

export function message(random: Random, seq: number): Message {
  const roll = random.below(100);
  if (roll < 2) return [Buffer.from('PING'), random.bytes(random.below(9)), random.bytes(random.below(9))];
  if (roll < 3) return Array.from({ length: 1 + random.below(6) }, () => random.bytes(random.below(60)));
  const method = random.pick(METHODS);
  let made: Message;
  if (roll < 45) {
    const [recordedHeader, recordedBody] = random.pick(RECORDED);
    made = [UPPER, random.chance(70) ? recordedHeader : header(random, seq, method), recordedBody];
  } else {
    made = [UPPER, header(random, seq, method), body(random, method)];
  }
  for (let left = random.pick([0, 0, 0, 1, 1, 3]); left > 0; left -= 1) made = damaged(random, made);
  return made;
}
