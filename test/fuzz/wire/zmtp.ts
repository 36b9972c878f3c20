import type { Random } from '../random.js';

/** What a client of ZMTP 3 sends, from its greeting on; sound, nearly sound, and otherwise. */

const MECHANISMS = ['NULL', 'CURVE', 'PLAIN', 'GSSAPI', 'XXXX'];
const COMMANDS = ['READY', 'HELLO', 'INITIATE', 'ERROR', 'PING', 'PONG', 'SUBSCRIBE', 'CANCEL', 'WELCOME', 'MESSAGE'];
const SOCKETS = ['DEALER', 'DEALER', 'REQ', 'SUB', 'ROUTER', 'XX'];
const LONG = 2;
const COMMAND = 4;
/** Lengths that are not there, some beyond what is accepted, some beyond any memory. */
const CLAIMS = [0, 1, 255, 256, 2 ** 27 + 1, 2 ** 31, 2 ** 32, 2 ** 53 - 1];

function greeting(random: Random): Buffer {
  const mechanism = Buffer.alloc(20);
  mechanism.write(random.pick(MECHANISMS));
  const version = Buffer.of(random.pick([3, 3, 3, 3, 0, 1, 2, 4, 255]), random.pick([1, 0, 255]));
  const made = Buffer.concat([
    ...[Buffer.from('ff00000000000000017f', 'hex'), version, mechanism],
    ...[Buffer.of(random.pick([0, 0, 0, 1, 7])), Buffer.alloc(31)],
  ]);
  if (random.chance(20)) made[random.below(made.length)] = random.below(256);
  return random.chance(15) ? made.subarray(0, random.below(made.length)) : made;
}

function frame(flags: number, body: Buffer, length = body.length): Buffer {
  if ((flags & LONG) === 0 && length < 256) return Buffer.concat([Buffer.of(flags, length), body]);
  const long = Buffer.alloc(8);
  long.writeBigUInt64BE(BigInt(length));
  return Buffer.concat([Buffer.of(flags | LONG), long, body]);
}

function property(random: Random, name: string, value: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(random.chance(15) ? random.below(2 ** 32) : value.length);
  return Buffer.concat([Buffer.of(name.length), Buffer.from(name), length, value]);
}

function commandBody(random: Random, name: string): Buffer {
  if (name === 'READY') {
    const socket = property(random, 'Socket-Type', Buffer.from(random.pick(SOCKETS)));
    return Buffer.concat([socket, property(random, 'Identity', random.bytes(random.below(random.pick([5, 5, 300]))))]);
  }
  if (name !== 'HELLO') return random.bytes(random.below(random.pick([20, 40, 400])));
  // Version, padding, a key, a nonce, a box.
  const hello = Buffer.concat([Buffer.of(1, 0), Buffer.alloc(72), random.bytes(32 + 8 + 80)]);
  return random.chance(50) ? hello : hello.subarray(0, random.below(hello.length + 1));
}

function command(random: Random): Buffer {
  const name = random.pick([...COMMANDS, 'READY', 'READY', 'X'.repeat(random.below(256))]);
  const nameLength = random.chance(5) ? random.below(256) : name.length;
  const body = Buffer.concat([Buffer.of(nameLength), Buffer.from(name), commandBody(random, name)]);
  return frame(COMMAND | random.pick([0, 0, LONG]), body, random.chance(10) ? random.pick(CLAIMS) : body.length);
}

function data(random: Random): Buffer {
  const body = random.bytes(random.below(80));
  return frame(random.pick([0, 1, 0, 1, 2, 3, 8, 0x80]), body, random.chance(20) ? random.pick(CLAIMS) : body.length);
}

/** All that one connection sends. */
export function conversation(random: Random): Buffer {
  const parts = [random.chance(95) ? greeting(random) : random.bytes(random.below(200))];
  if (random.chance(80)) parts.push(command(random));
  for (let left = random.below(8); left > 0; left -= 1) parts.push(random.chance(50) ? command(random) : data(random));
  return Buffer.concat(parts);
}
