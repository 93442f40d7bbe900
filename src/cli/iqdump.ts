// `wideplane iqdump`: what a machine says over iQuery, as it comes. Whoever speaks wideplane's grammar is asked for all of it; of
// others, as of a BIG-IP, what they send by themselves is shown, inflated where it is compressed.

import { hostname } from 'node:os';
import { connect, type TLSSocket } from 'node:tls';
import { createInflater, type Inflater } from '../assembly/iqueryd/compression.ts';
import { peerChain } from '../assembly/iqueryd/peer-chain.ts';
import { errorText } from '../core/errors.ts';
import { MessageReader } from '../iquery/message-reader.ts';
import { DOCUMENT_START, writeMessage } from '../iquery/message-writer.ts';
import { GRAMMAR_VERSION, type Message } from '../iquery/messages.ts';
import { judge, REVOCATION_DEFAULTS } from '../trust/judge.ts';
import { trustLayout, trustRoot, type TrustLayout } from '../trust/layout.ts';
import { ownCertificates, readTrustFiles, type TrustFiles } from '../trust/trust-files.ts';
import { ElementLines } from './element-lines.ts';

export type IqdumpFlags = {
  /** Name or address. */
  readonly host: string;
  readonly syncGroup: string;
  readonly port: number;
  readonly state: string;
};

/** For a connection, TLS and the first octets, each. */
const PATIENCE_MS = 10_000;
const HEARTBEAT_MS = 10_000;
/** In no text, and the first octet of every gzip stream. */
const GZIP_START = 0x1f;
const STOPPING = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Runs until a signal comes, the reader of the output goes, or the connection ends; returns the exit code. */
export async function iqdump(flags: IqdumpFlags): Promise<number> {
  const layout = trustLayout(trustRoot(flags.state));
  const trust = await readTrustFiles(layout);
  const { identity } = trust;
  if (identity === undefined) {
    say(
      trust.problems[0] ??
        `there is no device certificate in ${layout.certificate}: start "wideplane up" with this state directory once, or name ` +
          'the right one with --state',
    );
    return 1;
  }
  return new Promise((resolve) => {
    const host = flags.host.replace(/^\[(.*)\]$/, '$1');
    const { certificate: cert, key } = identity;
    // It is judged by the bundle: names in certificates of devices say nothing.
    const socket = connect({ host, port: flags.port, cert, key, rejectUnauthorized: false, minVersion: 'TLSv1.2' });
    const stop = (): void => finish(0);
    const finish = (status: number, why?: string): void => {
      if (dump.isOver) return;
      dump.end();
      socket.destroy();
      process.stdout.off('error', stop);
      for (const signal of STOPPING) process.off(signal, stop);
      if (why !== undefined) say(why);
      resolve(status);
    };
    const dump = new Dump(flags, socket, (why) => finish(1, why));
    // `| head` is no error.
    process.stdout.on('error', stop);
    for (const signal of STOPPING) process.on(signal, stop);
    socket.setTimeout(PATIENCE_MS, () => finish(1, `cannot reach ${placeOf(flags)}: ${lateText(socket, dump)}`));
    socket.on('secureConnect', () => {
      const problem = refusalOf(socket, trust, layout);
      if (problem !== undefined) finish(1, `the certificate of ${placeOf(flags)} is refused: ${problem}`);
    });
    socket.on('data', (octets: Buffer) => dump.hear(octets));
    socket.on('error', (error) =>
      finish(1, dump.hasHeard ? `the connection is broken: ${errorText(error)}` : failText(flags, error)),
    );
    socket.on('close', () =>
      finish(1, dump.hasHeard ? 'the other side has ended the connection' : notTrustedText(flags)),
    );
  });
}

/** A connection that stands: what comes is printed, and who speaks our grammar is answered. */
class Dump {
  isOver = false;
  hasHeard = false;
  readonly #flags: IqdumpFlags;
  readonly #socket: TLSSocket;
  readonly #fail: (why: string) => void;
  readonly #lines = new ElementLines((line) => process.stdout.write(`${line}\n`));
  readonly #reader = new MessageReader({ message: (message) => this.#take(message), unknown: () => undefined });
  #inflater: Inflater | undefined;
  #heartbeats: NodeJS.Timeout | undefined;
  #sent = 0;

  constructor(flags: IqdumpFlags, socket: TLSSocket, fail: (why: string) => void) {
    this.#flags = flags;
    this.#socket = socket;
    this.#fail = fail;
  }

  hear(octets: Buffer): void {
    if (this.isOver) return;
    if (!this.hasHeard) this.#printHeader();
    if (this.#inflater !== undefined) {
      this.#inflate(octets);
      return;
    }
    const start = octets.indexOf(GZIP_START);
    const text = start < 0 ? octets : octets.subarray(0, start);
    this.#print(text);
    if (start >= 0) this.#inflate(octets.subarray(start));
  }

  end(): void {
    if (!this.isOver && this.hasHeard) this.#lines.end();
    this.isOver = true;
    clearInterval(this.#heartbeats);
    this.#inflater?.close();
  }

  #printHeader(): void {
    this.hasHeard = true;
    // From now on it may be silent for as long as it likes.
    this.#socket.setTimeout(0);
    const { remoteAddress = '', remotePort = 0 } = this.#socket;
    const address = remoteAddress.includes(':') ? remoteAddress : `::ffff:${remoteAddress}`;
    for (const line of [
      `Local hostname: ${hostname()}`,
      `Connected to big3d at: ${address}:${remotePort}`,
      `Subscribing to syncgroup: ${this.#flags.syncGroup}`,
      timeText(new Date()),
    ])
      process.stdout.write(`<!-- ${line.replace(/--/g, '- -')} -->\n`);
  }

  #print(octets: Uint8Array): void {
    this.#lines.write(octets);
    try {
      this.#reader.read(octets);
    } catch (error) {
      this.#fail(`what comes cannot be read: ${errorText(error)}`);
    }
  }

  #inflate(octets: Uint8Array): void {
    this.#inflater ??= createInflater({
      output: (inflated) => this.#print(inflated),
      failed: (reason) => this.#fail(`what comes cannot be read: ${reason}`),
      drained: () => this.#socket.resume(),
    });
    if (!this.#inflater.write(octets)) this.#socket.pause();
  }

  #take(message: Message): void {
    if (message.message !== 'offer' || message.grammar !== GRAMMAR_VERSION || this.#heartbeats !== undefined) return;
    // What is shown is what is sent, so it is not to be compressed.
    this.#socket.write(
      DOCUMENT_START +
        writeMessage({
          ...{ message: 'subscribe', grammar: GRAMMAR_VERSION, device: hostname(), device_id: `iqdump-${process.pid}` },
          ...{ time: Date.now(), compression: [], sync_group: this.#flags.syncGroup, is_gtm: false },
        }),
    );
    this.#heartbeats = setInterval(() => {
      this.#socket.write(writeMessage({ message: 'heartbeat', number: ++this.#sent, time: Date.now() }));
    }, HEARTBEAT_MS);
  }
}

/** Why the other side is not trusted; undefined: it is. */
function refusalOf(socket: TLSSocket, trust: TrustFiles, layout: TrustLayout): string | undefined {
  const verdict = judge(
    {
      members: [...trust.server.members, ...ownCertificates(trust)],
      lists: trust.revocation.lists,
      settings: REVOCATION_DEFAULTS,
      bundlePath: layout.serverBundle,
      crlPath: layout.revocationLists,
    },
    { chain: peerChain(socket), role: 'server', now: new Date() },
  );
  return verdict.trusted ? undefined : `${verdict.reason}; ${verdict.fix}`;
}

const placeOf = ({ host, port }: IqdumpFlags): string => `${host}, port ${port}`;

function lateText(socket: TLSSocket, { hasHeard }: Dump): string {
  const seconds = `within ${PATIENCE_MS / 1000} s`;
  if (socket.connecting)
    return `no connection ${seconds}; look whether the address is right, and a firewall on the way`;
  if (socket.getProtocol() === null || hasHeard) return `no TLS ${seconds}; look whether iQuery is served on this port`;
  return `it has not said anything ${seconds}; look into its log`;
}

function failText(flags: IqdumpFlags, error: NodeJS.ErrnoException & { reason?: string }): string {
  const cannot = `cannot reach ${placeOf(flags)}`;
  switch (error.code) {
    case 'ECONNREFUSED':
      return `${cannot}: connection refused; look whether it runs ("wideplane up") and which port it serves iQuery on (--port)`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `${cannot}: no address is known for this name; give the address instead`;
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return `${cannot}: there is no route to it; look at the routes of this machine ("ip route get ${flags.host}")`;
    case 'ETIMEDOUT':
      return `${cannot}: nothing answers; look whether the address is right, and a firewall on the way`;
    case 'ECONNRESET':
    case 'EPIPE':
      return notTrustedText(flags);
    default:
  }
  if (/alert|certificate|unknown ca/i.test(error.reason ?? ''))
    return `${notTrustedText(flags)} (TLS: ${error.reason ?? ''})`;
  return `${cannot}: no TLS: ${error.reason ?? errorText(error)}; look whether iQuery is served on this port, by TLS 1.2 or later`;
}

function notTrustedText(flags: IqdumpFlags): string {
  return (
    `${placeOf(flags)} has ended the connection before it said anything: it may not trust this machine; its log says so. ` +
    'Give it the certificate of this one: wideplane trust export --state ' +
    `${flags.state} | ssh ${flags.host} wideplane trust import -`
  );
}

/** As ctime(3): `Tue Dec  1 08:05:09 2026`. */
function timeText(time: Date): string {
  const [, day = '', month = '', date = '', year = ''] = /^(\w+) (\w+) (\d+) (\d+)/.exec(time.toString()) ?? [];
  return `${day} ${month} ${String(Number(date)).padStart(2)} ${time.toTimeString().slice(0, 8)} ${year}`;
}

function say(text: string): void {
  process.stderr.write(`wideplane iqdump: ${text}\n`);
}
