export const MIB = 2 ** 20;

/** For people. */
export function mib(bytes: number): string {
  return (bytes / MIB).toFixed(1);
}
