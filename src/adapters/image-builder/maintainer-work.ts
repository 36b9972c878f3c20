import type { Header } from 'tar-stream';

/** A tar header of which only the name has to be said. */
export type TarHeader = Partial<Header> & Pick<Header, 'name'>;

const PASSWD = 'usr/share/base-passwd/passwd.master';
const GROUP = 'usr/share/base-passwd/group.master';
const NSSWITCH = 'usr/share/libc-bin/nsswitch.conf';
const CERTIFICATE = /^usr\/share\/ca-certificates\/.*\.crt$/;

/** Links that exist once their target does: path → [target as linked, target as packed]. */
const CONDITIONAL_LINKS: readonly (readonly [string, string, string])[] = [
  ['usr/bin/sh', 'dash', 'usr/bin/dash'],
  ['usr/bin/awk', 'mawk', 'usr/bin/mawk'],
  ['usr/bin/which', 'which.debianutils', 'usr/bin/which.debianutils'],
  ['usr/bin/python', 'python3', 'usr/bin/python3'],
  ['etc/localtime', '/usr/share/zoneinfo/Etc/UTC', 'usr/share/zoneinfo/Etc/UTC'],
];

/**
 * What the maintainer scripts of base packages would have done on installation, as far as programs need it: accounts,
 * name service, certificate bundle, alternatives. Watches what goes by and says in the end what has to be added.
 */
export class MaintainerWork {
  private readonly sources = new Map<string, Buffer>();
  private readonly certificates: Buffer[] = [];

  /** True for a file whose content has to be passed to `take`. */
  wants(path: string): boolean {
    return path === PASSWD || path === GROUP || path === NSSWITCH || CERTIFICATE.test(path);
  }

  take(path: string, content: Buffer): void {
    if (CERTIFICATE.test(path)) this.certificates.push(content, Buffer.from('\n'));
    else this.sources.set(path, content);
  }

  /** The entries to add to a root file system that has `packed` in it; those that are there already are not repeated. */
  *entries(packed: ReadonlySet<string>): Generator<{ readonly header: TarHeader; readonly content?: Buffer }> {
    for (const [path, source] of [
      ['etc/passwd', PASSWD],
      ['etc/group', GROUP],
      ['etc/nsswitch.conf', NSSWITCH],
    ] as const) {
      const content = this.sources.get(source);
      if (content) yield { header: { name: path, type: 'file', mode: 0o644 }, content };
    }
    if (this.certificates.length > 0) {
      const bundle = 'etc/ssl/certs/ca-certificates.crt';
      yield { header: { name: bundle, type: 'file', mode: 0o644 }, content: Buffer.concat(this.certificates) };
      // OpenSSL's default file; its default directory would need a hash link for each certificate.
      yield { header: { name: 'usr/lib/ssl/cert.pem', type: 'symlink', linkname: `/${bundle}`, mode: 0o777 } };
    }
    for (const [name, linkname, target] of CONDITIONAL_LINKS) {
      if (packed.has(target)) yield { header: { name, type: 'symlink', linkname, mode: 0o777 } };
    }
  }
}
