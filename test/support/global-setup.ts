/** The contract and integration suites need a live container engine; they say so at once instead of failing one by one. */
export default function setup(): void {
  process.env['TESTCONTAINERS_RYUK_DISABLED'] ??= 'true';
}
