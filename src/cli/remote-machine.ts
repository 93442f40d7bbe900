// Another machine, reached by the system's ssh: whatever its user has in ~/.ssh/config, agents and passwords typed at the terminal count.
// One connection carries all commands, so that a password is asked for once.

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { errorText } from '../core/errors.ts';
import { addToBundle, readBundle } from '../trust/bundle.ts';
import { type Certificate, readCertificate } from '../trust/certificate.ts';
import { trustLayout } from '../trust/layout.ts';
import type { PeerRole } from '../trust/verdict.ts';

export type RemoteOptions = {
  /** As ssh -F. */
  readonly sshConfig?: string;
  /** State directory of a wideplane there. */
  readonly remoteState?: string;
  /** What runs wideplane there. */
  readonly remoteCommand?: string;
};

/** What is there: a device with the files of a BIG-IP, or a machine on which wideplane runs. */
export type RemoteKind = 'bigip' | 'wideplane';

export type RemoteFacts = {
  readonly kind: RemoteKind;
  readonly hostname: string;
  /** As the machine itself has it; undefined: it does not say. */
  readonly version: string | undefined;
  /** Seconds by which its clock is ahead of ours; negative: behind. */
  readonly skew: number;
};

/** It cannot be reached, or is nothing that can be asked; the message is for whoever typed the command. */
export class RemoteError extends Error {
  override readonly name = 'RemoteError';
}

/** A peer that does not answer within this time cannot be reached, in seconds. */
const CONNECT_SECONDS = 15;
const MOST_OUTPUT = 1 << 20;
/** How often a file is written that somebody else writes at the same time. */
const MOST_TRIES = 3;
/** Exit status of the script when the file is another than the one that was read. */
const CHANGED = 75;

const DEVICE = trustLayout('/config');

const PROBE = `
echo "clock $(date +%s)"
echo "host $(hostname)"
if [ -f ${DEVICE.certificate} ]; then
  echo "kind bigip"
  [ ! -r /VERSION ] || sed -n 's/^Version: */version /p' /VERSION
else
  command -v "$1" >/dev/null && echo "kind wideplane" && "$1" version --json | sed -n 's/.*"wideplane": *"\\([^"]*\\)".*/version \\1/p' | head -n 1
fi
true
`;

/** Arguments: the file, and the SHA-256 of what it holds as it was read, or "none". The new content comes by standard input. */
const REPLACE = `
set -e
umask 077
file=$1
directory=\${file%/*}
[ -d "$directory" ] || mkdir -p "$directory"
new=$(mktemp "$directory/.wideplane.XXXXXX")
trap 'rm -f "$new"' EXIT
if [ -f "$file" ]; then cp -p "$file" "$new"; else chmod 644 "$new"; fi
cat >"$new"
now=none
[ ! -f "$file" ] || now=$(sha256sum <"$file" | cut -c 1-64)
[ "$now" = "$2" ] || exit ${CHANGED}
sync
mv "$new" "$file"
`;

type Ran = { readonly status: number; readonly stdout: string; readonly stderr: string };

export class RemoteMachine {
  readonly host: string;
  readonly facts: RemoteFacts;
  readonly #session: SshSession;
  readonly #options: RemoteOptions;

  private constructor(host: string, facts: RemoteFacts, session: SshSession, options: RemoteOptions) {
    this.host = host;
    this.facts = facts;
    this.#session = session;
    this.#options = options;
  }

  /** `host`: `[user@]host`, as ssh takes it. Throws a RemoteError. */
  static async open(host: string, options: RemoteOptions): Promise<RemoteMachine> {
    // It would be an option of ssh.
    if (host.startsWith('-') || /\s/.test(host) || host === '') {
      throw new RemoteError(`"${host}" is no host: type [user@]host`);
    }
    const session = await SshSession.open(host, options.sshConfig);
    try {
      return new RemoteMachine(host, await probe(session, host, options), session, options);
    } catch (error) {
      await session.close();
      throw error;
    }
  }

  close(): Promise<void> {
    return this.#session.close();
  }

  /** Its device certificate. Throws a RemoteError. */
  async certificate(): Promise<Certificate> {
    const text =
      this.facts.kind === 'bigip'
        ? await this.#output(['cat', DEVICE.certificate])
        : await this.wideplane(['trust', 'export']);
    try {
      return readCertificate(text);
    } catch (error) {
      throw new RemoteError(`${this.host}: its certificate cannot be read: ${errorText(error)}`);
    }
  }

  /** Has it trust a certificate in the roles; resolves to those in which it did not before. Throws a RemoteError. */
  async trust(certificate: Certificate, roles: readonly PeerRole[]): Promise<PeerRole[]> {
    const added: PeerRole[] = [];
    for (const role of roles) if (await this.#trustIn(certificate, role)) added.push(role);
    return added;
  }

  /** Output of a wideplane command there. Throws a RemoteError. */
  async wideplane(args: readonly string[], input?: string): Promise<string> {
    const { remoteCommand = 'wideplane', remoteState } = this.#options;
    const state = remoteState === undefined ? [] : ['--state', remoteState];
    return this.#output([remoteCommand, ...args, ...state], input);
  }

  async #trustIn(certificate: Certificate, role: PeerRole): Promise<boolean> {
    if (this.facts.kind === 'wideplane') {
      const text = await this.wideplane(['trust', 'import', `--${role}`, '-'], certificate.x509.toString());
      return /: [1-9]\d* added/.test(text);
    }
    const path = role === 'server' ? DEVICE.serverBundle : DEVICE.clientBundle;
    for (let tries = 1; ; tries++) {
      const script = 'if [ -f "$1" ]; then cat "$1"; else exit 44; fi';
      const read = await this.#session.run(['sh', '-c', script, 'sh', path]);
      if (read.status !== 0 && read.status !== 44) throw this.#failure(`cannot read ${path}`, read);
      const isThere = read.status === 0;
      const { text, added } = addToBundle(read.stdout, [certificate]);
      if (added.length === 0) return false;
      const { problems } = readBundle(read.stdout);
      if (problems.length > 0) {
        throw new RemoteError(`${this.host}: ${path} is damaged (${problems[0]!}): nothing was changed; mend it first`);
      }
      const expected = isThere ? createHash('sha256').update(read.stdout).digest('hex') : 'none';
      const wrote = await this.#session.run(['sh', '-c', REPLACE, 'sh', path, expected], text);
      if (wrote.status === 0) return true;
      if (wrote.status !== CHANGED || tries === MOST_TRIES) throw this.#failure(`cannot write ${path}`, wrote);
    }
  }

  async #output(command: readonly string[], input?: string): Promise<string> {
    const ran = await this.#session.run(command, input);
    if (ran.status !== 0) throw this.#failure(`"${command.slice(0, 3).join(' ')}" failed`, ran);
    return ran.stdout;
  }

  #failure(what: string, { status, stderr }: Ran): RemoteError {
    return new RemoteError(`${this.host}: ${what}: ${lastLine(stderr) ?? `status ${status}`}`);
  }
}

async function probe(session: SshSession, host: string, options: RemoteOptions): Promise<RemoteFacts> {
  const asked = Date.now();
  const { status, stdout, stderr } = await session.run(['sh', '-c', PROBE, 'sh', options.remoteCommand ?? 'wideplane']);
  const answered = Date.now();
  const fact = (name: string): string | undefined => new RegExp(`^${name} (.+)$`, 'm').exec(stdout)?.[1];
  const clock = Number(fact('clock'));
  if (status !== 0 || !Number.isFinite(clock)) {
    const why = lastLine(stderr) ?? (status === 0 ? 'its answer is not that of a shell' : `status ${status}`);
    const hint = status === 255 ? '' : '; the account needs a shell (bash, not tmsh)';
    throw new RemoteError(`${host}: ${why}${hint}`);
  }
  const kind = fact('kind');
  if (kind !== 'bigip' && kind !== 'wideplane') {
    throw new RemoteError(
      `${host}: neither ${DEVICE.certificate} nor the command ${options.remoteCommand ?? 'wideplane'} is there: ` +
        'it is no BIG-IP, and wideplane is not installed for this account (--remote-command says where it is)',
    );
  }
  // It says whole seconds, of a moment between the two.
  const middle = (asked + answered) / 2000;
  const skew = clock + 0.5 - middle;
  const doubt = 0.5 + (answered - asked) / 2000;
  const version = fact('version');
  return { kind, hostname: fact('host') ?? host, version, skew: Math.abs(skew) <= doubt ? 0 : Math.round(skew) };
}

/** A connection that others go over. */
class SshSession {
  readonly #host: string;
  readonly #directory: string;
  readonly #options: readonly string[];

  private constructor(host: string, directory: string, sshConfig: string | undefined) {
    this.#host = host;
    this.#directory = directory;
    this.#options = [
      ...(sshConfig === undefined ? [] : ['-F', sshConfig]),
      ...['-o', `ConnectTimeout=${CONNECT_SECONDS}`],
      ...['-o', 'ControlMaster=auto', '-o', `ControlPath=${join(directory, 'master')}`, '-o', 'ControlPersist=60'],
    ];
  }

  static async open(host: string, sshConfig: string | undefined): Promise<SshSession> {
    return new SshSession(host, await mkdtemp(join(tmpdir(), 'wideplane-ssh-')), sshConfig);
  }

  /** Runs a command; its words reach the shell there as they are. Throws a RemoteError when ssh cannot be started. */
  run(command: readonly string[], input = ''): Promise<Ran> {
    return new Promise((resolve, reject) => {
      const args = [...this.#options, '--', this.#host, command.map(quoted).join(' ')];
      // ssh asks for passwords, and about host keys, at the terminal by itself.
      const child = spawn('ssh', args, { stdio: ['pipe', 'pipe', 'pipe'] });
      let [stdout, stderr] = ['', ''];
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        stdout += text;
        if (stdout.length > MOST_OUTPUT) child.kill();
      });
      child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr = (stderr + text).slice(-MOST_OUTPUT)));
      child.stdin.on('error', () => undefined);
      child.stdin.end(input);
      child.on('error', (error) => reject(new RemoteError(`ssh cannot be started: ${errorText(error)}`)));
      // The connection that stays holds on to stderr: the end of the process, and of its output, is what counts.
      let status: number | undefined;
      let isRead = false;
      const look = (): void => {
        if (status !== undefined && isRead) resolve({ status, stdout, stderr });
      };
      child.stdout.on('close', () => {
        isRead = true;
        look();
      });
      child.on('exit', (code) => {
        status = code ?? 255;
        setImmediate(look);
      });
    });
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => {
      const child = spawn('ssh', [...this.#options, '-O', 'exit', '--', this.#host], { stdio: 'ignore' });
      child.on('error', () => resolve());
      child.on('exit', () => resolve());
    });
    await rm(this.#directory, { recursive: true, force: true });
  }
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

function lastLine(text: string): string | undefined {
  const line = text.trim().split('\n').at(-1);
  return line === '' ? undefined : line;
}
