// Key exchange as its daemon sees it: one daemon at a time registers for what comes behind UDP 4500, and sends from there.
//
// The ring is emptied as fast as the daemon takes messages and no faster, so that what waits for it is bounded by the ring; the
// worker counts what finds no place there.

import { setTimeout as delay } from 'node:timers/promises';
import { type AddressWords, formatAddress, parseAddress } from '../../core/address.ts';
import { read32 } from '../../core/octets.ts';
import { IpcError } from '../../ipc/ipc-error.ts';
import type { ItemOf, ParamsOf } from '../../ipc/schema.ts';
import type { Arena } from '../../packet/arena.ts';
import { FrameRing, type FrameRingMemory } from '../../port/frame-ring.ts';
import { ipv4Destination, ipv4Source } from '../../wire/ipv4.ts';
import { IPV6_DESTINATION, IPV6_SOURCE } from '../../wire/ipv6.ts';
import { UDP_HEADER_OCTETS, udpDestinationPort, udpSourcePort } from '../../wire/udp.ts';
import { NON_ESP_MARKER_OCTETS } from '../../wire/udp-encapsulation.ts';
import { KEY_EXCHANGE_NOTE_OCTETS, type KeyExchangeMessageSpec, MAX_KEY_EXCHANGE_OCTETS } from './key-exchange.ts';

type Item = ItemOf<'key-exchange'>;
type Message = Item['messages'][number];

/** How often it is looked whether something has come while a daemon waits. */
const LOOK_MS = 5;
/** Octets of messages in one item: with base64 and the rest of it far below the limit of a message. */
const MAX_ITEM_OCTETS = 300_000;

/** What the service asks of the data plane; what it says has been done when a promise resolves. */
export interface KeyExchangePlane {
  /** Undefined: there is no IPsec. */
  memory(): { arena: Arena; ring: FrameRingMemory } | undefined;
  want(isWanted: boolean): Promise<void>;
  send(message: KeyExchangeMessageSpec): Promise<void>;
  isOurs(routeDomain: number, address: AddressWords): boolean;
  /** Name of the VLAN or tunnel that a bridge member belongs to. */
  nameOf(member: number): string | undefined;
}

export class KeyExchangeService {
  readonly #plane: KeyExchangePlane;
  #isTaken = false;

  constructor(plane: KeyExchangePlane) {
    this.#plane = plane;
  }

  /** The handler of `key-exchange`: ends when the daemon goes. The first item is empty and says that it is registered. */
  async *register(_params: object, { signal }: { signal: AbortSignal }): AsyncGenerator<Item, void> {
    const memory = this.#plane.memory();
    if (memory === undefined) throw new IpcError('refused', 'there is no IPsec here: it needs the native addon');
    if (this.#isTaken) {
      throw new IpcError(
        'refused',
        'another daemon has registered for key exchange; it has to end before this one can',
      );
    }
    this.#isTaken = true;
    try {
      const ring = new FrameRing(memory.arena, memory.ring);
      // What was left when the daemon before went.
      ring.empty(ring.waiting);
      const lostBefore = ring.lost;
      await this.#plane.want(true);
      yield { messages: [], lost: 0 };
      while (!signal.aborted) {
        const messages = this.#take(memory.arena, ring);
        if (messages.length > 0) yield { messages, lost: (ring.lost - lostBefore) >>> 0 };
        else await delay(LOOK_MS, undefined, { signal }).catch(() => undefined);
      }
    } finally {
      await this.#plane.want(false);
      this.#isTaken = false;
    }
  }

  /** The handler of `send-key-exchange`: resolves when the message has left, as far as anybody here can say. */
  async send({ local, remote, remotePort, octets }: ParamsOf<'send-key-exchange'>): Promise<void> {
    const [from, to] = [parseAddress(local), parseAddress(remote)];
    if (from === undefined) throw new IpcError('refused', `local: ${local} is no address`);
    if (to === undefined) throw new IpcError('refused', `remote: ${remote} is no address`);
    if (from.family !== to.family || from.routeDomain !== to.routeDomain) {
      throw new IpcError('refused', `${remote} has another IP version or route domain than ${local}`);
    }
    const { family, routeDomain } = from;
    if (!this.#plane.isOurs(routeDomain, from.words)) {
      throw new IpcError('refused', `local: ${local} is not the address of any self IP`);
    }
    const message = Buffer.from(octets, 'base64');
    if (message.length === 0 || message.length > MAX_KEY_EXCHANGE_OCTETS) {
      throw new IpcError('refused', `a message has 1 to ${MAX_KEY_EXCHANGE_OCTETS} octets, not ${message.length}`);
    }
    const ends = { local: from.words, remote: to.words };
    await this.#plane.send({ ...ends, routeDomain, family, remotePort, octets: message });
  }

  /** Takes what waits, at most one item of it. */
  #take({ bytes }: Arena, ring: FrameRing): Message[] {
    const messages: Message[] = [];
    let total = 0;
    for (let left = ring.waiting; left > 0 && total < MAX_ITEM_OCTETS; left--) {
      const slot = ring.slot(0);
      messages.push(this.#read(bytes, ring.start(slot), ring.octets(slot)));
      total += ring.octets(slot);
      ring.empty(1);
    }
    return messages;
  }

  #read(bytes: Uint8Array, at: number, octets: number): Message {
    const ip = at + KEY_EXCHANGE_NOTE_OCTETS;
    const routeDomain = read32(bytes, at + 4);
    const udp = ip + read32(bytes, at + 8);
    const isIpv4 = bytes[ip]! >>> 4 === 4;
    const address = (words: AddressWords): string => formatAddress({ family: isIpv4 ? 4 : 6, words, routeDomain });
    const words = (from: number): AddressWords => [
      read32(bytes, from),
      read32(bytes, from + 4),
      read32(bytes, from + 8),
      read32(bytes, from + 12),
    ];
    const source: AddressWords = isIpv4 ? [0, 0, 0, ipv4Source(bytes, ip)] : words(ip + IPV6_SOURCE);
    const destination: AddressWords = isIpv4 ? [0, 0, 0, ipv4Destination(bytes, ip)] : words(ip + IPV6_DESTINATION);
    const from = this.#plane.nameOf(read32(bytes, at));
    return {
      local: address(destination),
      localPort: udpDestinationPort(bytes, udp),
      remote: address(source),
      remotePort: udpSourcePort(bytes, udp),
      routeDomain,
      ...(from !== undefined && { from }),
      octets: Buffer.from(bytes.subarray(udp + UDP_HEADER_OCTETS + NON_ESP_MARKER_OCTETS, at + octets)).toString(
        'base64',
      ),
    };
  }
}
