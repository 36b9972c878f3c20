import { readFile } from 'node:fs/promises';
import { messageOf } from '../domain/error/agent-error.js';
import { configurationInvalid } from '../domain/error/errors.js';

/** A key or certificate that the configuration names under `field`; a ConfigurationError if it can't be read. */
export async function readPem(field: string, file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    throw configurationInvalid(`${file}: can't be read: ${messageOf(error)}`, {
      field,
      allowed: 'a readable PEM file',
    });
  }
}
