/** Identifiers and secrets from the system's randomness. */
export interface IdGenerator {
  /** A random UUID, lower-case with dashes. */
  uuid(): string;
  /** `bytes` random bytes as lower-case hex. */
  hex(bytes: number): string;
}

export const IdGenerator = Symbol('IdGenerator');
