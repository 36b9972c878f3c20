import { ExtData } from '@msgpack/msgpack';
import type { ImageRefBody } from '../../../domain/event/agent-event.js';

/** Extension codes of the reference's msgpack dialect (state.md §2.4). */
const ENUM = 6;
const IMAGE_REF = 7;
const RESOURCE_SLOT = 8;

/** Opcodes of pickle protocol 2: the few that call a class with plain arguments. */
const PROTOCOL = Uint8Array.of(0x80, 2);
const NONE = Uint8Array.of(0x4e);
const TRUE = Uint8Array.of(0x88);
const FALSE = Uint8Array.of(0x89);
const EMPTY_DICT = Uint8Array.of(0x7d);
const MARK = Uint8Array.of(0x28);
const SET_ITEMS = Uint8Array.of(0x75);
const TUPLE_OF_ONE = Uint8Array.of(0x85);
const TUPLE = Uint8Array.of(0x74);
/** Call, then stop. */
const MADE = Uint8Array.of(0x52, 0x2e);

/** A member of the reference's enumeration of reasons. */
export function pickledReason(reason: string): ExtData {
  const type = global('ai.backend.common.events.event_types.kernel.types', 'KernelLifecycleEventReason');
  return extension(ENUM, [PROTOCOL, type, text(reason), TUPLE_OF_ONE, MADE]);
}

export function pickledImageRef(image: ImageRefBody): ExtData {
  const args = [
    text(image.name),
    image.project === null ? NONE : text(image.project),
    text(image.tag),
    text(image.registry),
    text(image.architecture),
    image.is_local ? TRUE : FALSE,
  ];
  return extension(IMAGE_REF, [PROTOCOL, global('ai.backend.common.docker', 'ImageRef'), MARK, ...args, TUPLE, MADE]);
}

/** Amounts are decimal texts without an exponent; those of memory whole bytes. */
export function pickledResourceSlot(slots: Iterable<readonly [name: string, amount: string]>): ExtData {
  const items = [...slots].flatMap(([name, amount]) => [text(name), text(amount)]);
  const type = global('ai.backend.common.types', 'ResourceSlot');
  return extension(RESOURCE_SLOT, [PROTOCOL, type, EMPTY_DICT, MARK, ...items, SET_ITEMS, TUPLE_OF_ONE, MADE]);
}

function extension(code: number, parts: readonly Uint8Array[]): ExtData {
  return new ExtData(code, Buffer.concat(parts));
}

function global(module: string, name: string): Uint8Array {
  return Buffer.from(`c${module}\n${name}\n`, 'latin1');
}

function text(value: string): Uint8Array {
  const bytes = Buffer.from(value, 'utf8');
  const head = Buffer.alloc(5, 0x58);
  head.writeUInt32LE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}
