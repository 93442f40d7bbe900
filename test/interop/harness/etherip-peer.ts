// scapy as the other end of an EtherIP tunnel, with one station behind it: programs/etherip-peer.py.

import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Namespace } from './namespace.ts';

const PROGRAM = fileURLToPath(new URL('../../../../test/interop/harness/programs/etherip-peer.py', import.meta.url));

const ANSWER_MS = 30_000;

/** The header as RFC 3378 draws it, and with its two halves of an octet the other way round, as some implementations have it. */
export const ETHERIP_HEADER = { rfc3378: '3000', swapped: '0300' } as const;

export type EtherIpPeerOptions = {
  device: string;
  local: string;
  remote: string;
  remoteMac: string;
  /** The two octets that it sends, in hexadecimal digits. */
  header: string;
  /** The station behind it. */
  address: string;
  mac: string;
};

type Answer = { received?: number; headers?: string[]; frames?: string[] };

export class EtherIpPeer {
  readonly #child: ChildProcess;
  readonly #answers: ((answer: Answer) => void)[] = [];
  readonly #ended: Promise<never>;

  private constructor(namespace: Namespace, options: EtherIpPeerOptions) {
    const { device, local, remote, remoteMac, header, address, mac } = options;
    const argv = ['/usr/bin/python3', PROGRAM, device, local, remote, remoteMac, header, address, mac];
    const [program, ...args] = namespace.command(argv);
    const child = spawn(program!, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#child = child;
    this.#ended = new Promise((_, reject) => {
      child.on('close', (code) => reject(new Error(`etherip-peer.py ended with ${String(code)}`)));
    });
    this.#ended.catch(() => undefined);
    // What still runs when a test has failed ends with its namespaces; it shall not keep the file from ending.
    for (const handle of [child, child.stdin, child.stdout]) (handle as unknown as { unref(): void }).unref();
    createInterface({ input: child.stdout }).on('line', (line) => {
      this.#answers.shift()?.(JSON.parse(line) as Answer);
    });
  }

  static async start(namespace: Namespace, options: EtherIpPeerOptions): Promise<EtherIpPeer> {
    const peer = new EtherIpPeer(namespace, options);
    await peer.#answer();
    return peer;
  }

  /** Echoes from the station to another; resolves to how many came back unharmed. */
  async ping(order: { to: string; mac: string; size: number; count: number }): Promise<number> {
    return (await this.#ask({ do: 'ping', ...order })).received!;
  }

  /** Sends frames as they are, behind the usual header or another. */
  async send(frames: readonly Buffer[], header?: string): Promise<void> {
    await this.#ask({ do: 'send', frames: frames.map((frame) => frame.toString('hex')), header });
  }

  /** What came since it was last asked: every header, and the frames in hexadecimal digits. */
  async seen(): Promise<{ headers: string[]; frames: string[] }> {
    const { headers = [], frames = [] } = await this.#ask({ do: 'seen' });
    return { headers, frames };
  }

  async stop(): Promise<void> {
    this.#child.ref();
    this.#child.stdin!.end();
    await this.#ended.catch(() => undefined);
  }

  #ask(order: object): Promise<Answer> {
    const answer = this.#answer();
    this.#child.stdin!.write(`${JSON.stringify(order)}\n`);
    return answer;
  }

  #answer(): Promise<Answer> {
    const answered = new Promise<Answer>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('etherip-peer.py does not answer')), ANSWER_MS);
      this.#answers.push((answer) => {
        clearTimeout(timer);
        resolve(answer);
      });
    });
    return Promise.race([answered, this.#ended]);
  }
}
