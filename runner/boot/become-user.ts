import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { accountOf, editGroup, editPasswd, HOME } from './account.js';

const readOrEmpty = (path: string): string => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
};

const attempt = (what: string, action: () => void, warn: (text: string) => void): void => {
  try {
    action();
  } catch (error) {
    warn(`${what}: ${error instanceof Error ? error.message : String(error)}`);
  }
};

const makeTmp = (): void => {
  mkdirSync('/tmp');
  chmodSync('/tmp', 0o1777);
};

/**
 * Gives up root for good, before anything else: names the user in the image's account files where those can be
 * written, then takes its ids, which also drops every capability. Uid 0 stays root, started as somebody else nothing
 * is changed. Never looks into the home directory (krunner.md §1.7).
 */
export function becomeUser(env: NodeJS.ProcessEnv, shell: string, warn: (text: string) => void): void {
  process.umask(0o022);
  if (process.getuid?.() !== 0) return;
  const account = accountOf(env);
  if (!existsSync('/tmp')) attempt('/tmp', makeTmp, warn);
  if (!existsSync(HOME)) attempt(HOME, () => mkdirSync(HOME, { recursive: true }), warn);
  if (account.uid === 0) return;
  const passwd = editPasswd(readOrEmpty('/etc/passwd'), account, shell);
  attempt('/etc/passwd', () => writeFileSync('/etc/passwd', passwd.text), warn);
  const group = editGroup(readOrEmpty('/etc/group'), account, passwd.renamed);
  attempt('/etc/group', () => writeFileSync('/etc/group', group), warn);
  process.setgroups?.([...new Set([account.gid, ...account.additionalGids])]);
  process.setgid?.(account.gid);
  process.setuid?.(account.uid);
}
