// Security associations of scapy: test/lib/ipsec-peer.py.

import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { formatBareAddress } from '../../src/core/address.ts';
import { MAC_KEY_OCTETS } from '../../src/ipsec/crypto.ts';
import type { SecurityAssociationSpec } from '../../src/ipsec/security-association.ts';

const PROGRAM = fileURLToPath(new URL('../../../test/lib/ipsec-peer.py', import.meta.url));
/** The one that has Debian's modules. */
const PYTHON = '/usr/bin/python3';

type Answer = { packets?: (string | null)[] };
type Numbers = { sequence?: number; high?: number };

const hex = (octets: Uint8Array): string => Buffer.from(octets).toString('hex');

export class IpsecPeer {
  readonly #child: ChildProcess;
  readonly #answers: ((answer: Answer) => void)[] = [];
  readonly #exited: Promise<never>;
  readonly ready: Promise<unknown>;

  constructor() {
    this.#child = spawn(PYTHON, [PROGRAM], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#exited = new Promise((_, reject) => {
      this.#child.on('close', (code) => reject(new Error(`ipsec-peer.py ended with ${String(code)}`)));
    });
    this.#exited.catch(() => undefined);
    createInterface({ input: this.#child.stdout! }).on('line', (line) => {
      this.#answers.shift()?.(JSON.parse(line) as Answer);
    });
    this.ready = this.#answer();
  }

  /** The sealed packets, numbered from `sequence` on, `high` the upper half of extended numbers. */
  async seal(spec: SecurityAssociationSpec, keys: Keys, packets: readonly Uint8Array[], numbers?: Numbers) {
    return this.#ask('seal', spec, keys, packets, numbers);
  }

  /** The packets inside; undefined for those that scapy does not accept. */
  async open(spec: SecurityAssociationSpec, keys: Keys, packets: readonly Uint8Array[], numbers?: Numbers) {
    return this.#ask('open', spec, keys, packets, numbers);
  }

  async close(): Promise<void> {
    this.#child.stdin!.end();
    await this.#exited.catch(() => undefined);
  }

  async #ask(
    act: 'seal' | 'open',
    spec: SecurityAssociationSpec,
    { key, macKey }: Keys,
    packets: readonly Uint8Array[],
    numbers: Numbers = {},
  ): Promise<(Buffer | undefined)[]> {
    const { spi, protocol, transform, isTunnel, family, source, destination, extended, udpDestinationPort } = spec;
    const text = (words: typeof source): string => formatBareAddress({ family, words, routeDomain: 0 });
    const sa = {
      spi,
      protocol,
      ...transform,
      key: hex(key),
      macKey: hex(macKey.subarray(0, MAC_KEY_OCTETS[transform.mac])),
      source: isTunnel ? text(source) : undefined,
      destination: isTunnel ? text(destination) : undefined,
      port: udpDestinationPort,
      extended,
      ...numbers,
    };
    const answer = this.#answer();
    this.#child.stdin!.write(`${JSON.stringify({ do: act, sa, packets: packets.map(hex) })}\n`);
    const { packets: answered } = await answer;
    return answered!.map((octets) => (octets === null ? undefined : Buffer.from(octets, 'hex')));
  }

  #answer(): Promise<Answer> {
    return Promise.race([new Promise<Answer>((resolve) => this.#answers.push(resolve)), this.#exited]);
  }
}

export type Keys = { key: Uint8Array; macKey: Uint8Array };
