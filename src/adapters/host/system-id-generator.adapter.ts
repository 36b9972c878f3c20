import { injectable } from 'inversify';
import { randomBytes, randomUUID } from 'node:crypto';
import type { IdGenerator } from '../../application/ports/id-generator.port.js';

/** Identifiers from the kernel's random source. */
@injectable()
export class SystemIdGenerator implements IdGenerator {
  uuid(): string {
    return randomUUID();
  }

  hex(bytes: number): string {
    return randomBytes(bytes).toString('hex');
  }
}
