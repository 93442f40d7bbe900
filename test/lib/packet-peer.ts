// A kernel socket in another namespace as the other side of a port: test/lib/packet-peer.py.

import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { spawn } from 'node:child_process';

const PROGRAM = fileURLToPath(new URL('../../../test/lib/packet-peer.py', import.meta.url));
const FILL = Uint8Array.from({ length: 256 * 300 }, (_, index) => index & 255);

/** The octets of a numbered frame, as the peer makes them. */
export function numbered(prefix: Uint8Array, index: number, octets: number): Uint8Array {
  const frame = new Uint8Array(octets);
  frame.set(prefix);
  new DataView(frame.buffer).setUint32(prefix.length, index);
  const head = prefix.length + 4;
  const at = index % 251;
  frame.set(FILL.subarray(at, at + octets - head), head);
  return frame;
}

/** The number of a frame whose prefix has so many octets. */
export const numberOf = (frame: Uint8Array, prefixOctets: number): number =>
  new DataView(frame.buffer, frame.byteOffset).getUint32(prefixOctets);

export type PeerFrame = { octets: Uint8Array; port: number; tos: number };

export type SendOrder = {
  prefix?: Uint8Array;
  first: number;
  count: number;
  octets: number;
  /** Of medium UDP. */
  to?: string;
  port?: number;
  /** Pauses for so many seconds after every so many frames. */
  pause?: number;
  every?: number;
};

export type FlowsReceived = { received: number; wrong: number; flows: number };

export type FlowOrder = {
  /** MAC header, or nothing for datagrams. */
  prefix: Uint8Array;
  /** Without the MAC header. */
  packets?: boolean;
  seed: number;
  flows: number;
  count: number;
  sizes: readonly number[];
  every: number;
  pause: number;
  to?: string | undefined;
  port?: number | undefined;
};

type Answer = Partial<FlowsReceived> & { frames?: { octets: string; port: number; tos: number }[] };

export class PacketPeer {
  readonly #child: ChildProcess;
  readonly #answers: ((answer: Answer) => void)[] = [];
  readonly #exited: Promise<never>;
  readonly ready: Promise<unknown>;

  /** `args`: what packet-peer.py takes. */
  constructor(namespace: string, ...args: string[]) {
    this.#child = spawn('ip', ['netns', 'exec', namespace, 'python3', PROGRAM, ...args], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#exited = new Promise((_, reject) => {
      this.#child.on('close', (code) => reject(new Error(`packet-peer.py ended with ${String(code)}`)));
    });
    this.#exited.catch(() => undefined);
    createInterface({ input: this.#child.stdout! }).on('line', (line) => {
      this.#answers.shift()?.(JSON.parse(line) as Answer);
    });
    this.ready = this.#answer();
  }

  async send(order: SendOrder): Promise<void> {
    const { prefix, ...rest } = order;
    await this.#ask({ do: 'send', prefix: Buffer.from(prefix ?? []).toString('hex'), ...rest });
  }

  async sendOctets(frames: readonly Uint8Array[], to?: string, port?: number): Promise<void> {
    const encoded = frames.map((frame) => Buffer.from(frame).toString('base64'));
    await this.#ask({ do: 'sendOctets', frames: encoded, to, port });
  }

  /** `count` datagrams in one send; the last is `short` octets shorter. */
  async sendSegments(order: Omit<SendOrder, 'prefix'> & { short?: number }): Promise<void> {
    await this.#ask({ do: 'sendSegments', ...order });
  }

  /** Frames of many flows: the last 8 octets of each are the number of its flow and its own number in it. */
  async sendFlows({ prefix, ...rest }: FlowOrder): Promise<void> {
    await this.#ask({ do: 'sendFlows', prefix: Buffer.from(prefix).toString('hex'), ...rest });
  }

  /** What came of `count` such frames, until nothing comes for a second. */
  async receiveFlows(count: number, seconds = 20): Promise<FlowsReceived> {
    return (await this.#ask({ do: 'receiveFlows', count, seconds })) as FlowsReceived;
  }

  /** Up to `count` frames, or those that come within the time. */
  async receive(count: number, seconds = 5): Promise<PeerFrame[]> {
    const { frames } = await this.#ask({ do: 'receive', count, seconds });
    return frames!.map(({ octets, port, tos }) => ({
      octets: new Uint8Array(Buffer.from(octets, 'base64')),
      port,
      tos,
    }));
  }

  async close(): Promise<void> {
    this.#child.stdin!.end();
    await this.#exited.catch(() => undefined);
  }

  #ask(order: object): Promise<Answer> {
    const answer = this.#answer();
    this.#child.stdin!.write(`${JSON.stringify(order)}\n`);
    return answer;
  }

  #answer(): Promise<Answer> {
    return Promise.race([new Promise<Answer>((resolve) => this.#answers.push(resolve)), this.#exited]);
  }
}
