// The pcapng file of a capture.

import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { Drop, DROP_HELP, DROP_NAMES, type DropKey } from '../core/drop-reason.ts';
import type { ItemOf } from '../ipc/schema.ts';
import { LinkType, pcapngInterface, pcapngPacket, pcapngSectionHeader } from '../wire/pcapng.ts';

export type CapturedFrame = ItemOf<'capture'>['frames'][number];

/** Where captured frames go; `close` resolves when everything is written. */
export interface FrameSink {
  write(frame: CapturedFrame): Promise<void>;
  close(): Promise<void>;
}

/** Renders frames as blocks of pcapng; each point is described as an interface before its first frame. */
export class PcapngEncoder {
  readonly #interfaces = new Map<string, number>();

  header(): Uint8Array {
    return pcapngSectionHeader('wideplane');
  }

  blocks(frame: CapturedFrame): Uint8Array {
    const blocks: Uint8Array[] = [];
    let interfaceId = this.#interfaces.get(frame.point);
    if (interfaceId === undefined) {
      interfaceId = this.#interfaces.size;
      this.#interfaces.set(frame.point, interfaceId);
      const description = { name: frame.point, description: '', linkType: LinkType.ethernet, snaplen: 0 };
      blocks.push(pcapngInterface(description));
    }
    const packet = {
      interfaceId,
      timeNs: BigInt(frame.timeNs),
      octets: Buffer.from(frame.octets, 'base64'),
      originalOctets: frame.originalOctets,
      direction: frame.direction,
      comment: frame.drop === '' ? '' : dropComment(frame.drop),
    };
    return Buffer.concat([...blocks, pcapngPacket(packet)]);
  }
}

export class PcapngSink implements FrameSink {
  readonly #stream: Writable;
  readonly #encoder = new PcapngEncoder();
  #error: Error | undefined;

  constructor(stream: Writable) {
    this.#stream = stream;
    stream.on('error', (error) => (this.#error ??= error));
    stream.write(this.#encoder.header());
  }

  async write(frame: CapturedFrame): Promise<void> {
    if (this.#error !== undefined) throw this.#error;
    if (!this.#stream.write(this.#encoder.blocks(frame))) await once(this.#stream, 'drain');
  }

  async close(): Promise<void> {
    if (this.#stream === process.stdout) return;
    if (this.#error === undefined) {
      this.#stream.end();
      await once(this.#stream, 'close');
    }
    if (this.#error !== undefined) throw this.#error;
  }
}

/** `dropped: unknown-vni (no tunnel has this VNI …)`. */
export function dropComment(name: string): string {
  const code = DROP_NAMES.indexOf(name);
  const key = (Object.keys(Drop) as DropKey[]).find((candidate) => Drop[candidate] === code);
  return key === undefined ? `dropped: ${name}` : `dropped: ${name} (${DROP_HELP[key]})`;
}
