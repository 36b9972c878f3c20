import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { z } from 'zod';
import { configurationInvalid } from '../../domain/error/errors.js';
import type { TlsMaterial } from './docker-endpoint.js';
import { readSmallFile } from './small-file.js';

const configSchema = z.object({ currentContext: z.string().optional() });
const metaSchema = z.object({
  Endpoints: z.object({
    docker: z.object({ Host: z.string().min(1), SkipTLSVerify: z.boolean().default(false) }),
  }),
});

export interface DockerContext {
  /** In the words of DOCKER_HOST. */
  readonly host: string;
  readonly tls?: TlsMaterial;
}

/** The context chosen in the Docker CLI's configuration file, if there is such a file and it says so. */
export async function currentContextName(folder: string): Promise<string | undefined> {
  const path = join(folder, 'config.json');
  const text = await readSmallFile(path);
  if (text === undefined) return undefined;
  return parseFile(path, text.toString('utf8'), configSchema).currentContext;
}

/**
 * A context as the Docker CLI stores it: below folders named after the SHA-256 of its name.
 * @throws ConfigurationError if it does not exist or cannot be read
 */
export async function loadContext(folder: string, name: string, origin: string): Promise<DockerContext> {
  const id = createHash('sha256').update(name).digest('hex');
  const path = join(folder, 'contexts/meta', id, 'meta.json');
  const text = await readSmallFile(path);
  if (text === undefined) {
    throw configurationInvalid(`${origin}: there is no such Docker context (${path})`, {
      field: origin,
      hint: 'See "docker context ls", or set DOCKER_HOST.',
    });
  }
  const { Host, SkipTLSVerify } = parseFile(path, text.toString('utf8'), metaSchema).Endpoints.docker;
  const files = await readTlsFiles(join(folder, 'contexts/tls', id, 'docker'));
  const hasTls = Host.startsWith('tcp:') && (files.ca ?? files.cert) !== undefined;
  return { host: Host, ...(hasTls && { tls: { ...files, rejectUnauthorized: !SkipTLSVerify } }) };
}

/** The certificate files that a folder has, under the names which the Docker CLI gives them. */
export async function readTlsFiles(folder: string): Promise<Omit<TlsMaterial, 'rejectUnauthorized'>> {
  const [ca, cert, key] = await Promise.all(
    ['ca.pem', 'cert.pem', 'key.pem'].map((name) => readSmallFile(join(folder, name))),
  );
  return { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) };
}

function parseFile<T>(path: string, text: string, schema: z.ZodType<T>): T {
  try {
    return schema.parse(JSON.parse(text));
  } catch (error) {
    throw configurationInvalid(`${path} cannot be understood`, { field: path, cause: error });
  }
}
