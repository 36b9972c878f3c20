import { open } from 'node:fs/promises';
import { configurationInvalid } from '../../domain/error/errors.js';

const MAX_BYTES = 1024 * 1024;

/**
 * A configuration file of the Docker CLI, or `undefined` if it is not there.
 * @throws ConfigurationError if it is larger than 1 MiB; the system's error if it cannot be read
 */
export async function readSmallFile(path: string): Promise<Buffer | undefined> {
  let file;
  try {
    file = await open(path, 'r');
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR'))
      return undefined;
    throw configurationInvalid(`${path} cannot be read`, { field: path, cause: error });
  }
  try {
    const buffer = Buffer.alloc(MAX_BYTES + 1);
    const { bytesRead } = await file.read(buffer, 0, buffer.length, 0);
    if (bytesRead > MAX_BYTES) throw configurationInvalid(`${path} is larger than ${MAX_BYTES} bytes`, { field: path });
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
