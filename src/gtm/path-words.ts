// Writes paths into their table in the state (`findPath` reads it): few places belong to a key, so that a look costs little, and
// where all of them are taken the path goes that is good for the shortest time.

import { parseAddress } from '../core/address.ts';
import type { PathFacts } from './facts.ts';
import type { StateWriter } from './state-journal.ts';
import { PATH_NEIGHBOURS, PATH_WORDS, pathSlot, PathWord, UNKNOWN } from './state-layout.ts';

/** A number of the state has 31 bits. */
const LATEST = 0x7fff_ffff;

type Client = { readonly family: number; readonly words: Int32Array };

export class PathWords {
  readonly #writer: StateWriter;

  constructor(writer: StateWriter) {
    this.#writer = writer;
  }

  /** `datacenter`: its number. Nothing happens for what is no address. */
  set({ client, roundTripTime, hops, completionRate, expires }: PathFacts, datacenter: number): void {
    const key = clientOf(client);
    if (key === undefined) return;
    const writer = this.#writer;
    const at = this.#find(key, datacenter) ?? this.#room(key, datacenter);
    writer.set(at + PathWord.family, key.family);
    key.words.forEach((word, index) => writer.set(at + PathWord.address + index, word));
    writer.set(at + PathWord.datacenter, datacenter);
    writer.set(at + PathWord.roundTripTime, roundTripTime ?? UNKNOWN);
    writer.set(at + PathWord.hops, hops ?? UNKNOWN);
    writer.set(at + PathWord.completionRate, completionRate ?? UNKNOWN);
    writer.set(at + PathWord.expires, Math.min(LATEST, expires));
  }

  forget(client: string, datacenter: number): void {
    const key = clientOf(client);
    const at = key && this.#find(key, datacenter);
    if (at !== undefined) this.#writer.set(at + PathWord.family, 0);
  }

  #find(client: Client, datacenter: number): number | undefined {
    return this.#places(client, datacenter).find(
      (at) =>
        this.#writer.get(at + PathWord.family) === client.family &&
        this.#writer.get(at + PathWord.datacenter) === datacenter &&
        client.words.every((word, index) => this.#writer.get(at + PathWord.address + index) === word),
    );
  }

  #room(client: Client, datacenter: number): number {
    const writer = this.#writer;
    const goodUntil = (at: number): number =>
      writer.get(at + PathWord.family) === 0 ? -Infinity : writer.get(at + PathWord.expires);
    return this.#places(client, datacenter).reduce((best, at) => (goodUntil(at) < goodUntil(best) ? at : best));
  }

  #places({ family, words }: Client, datacenter: number): number[] {
    const { layout } = this.#writer.memory;
    const first = pathSlot(layout, family, words, datacenter);
    const slots = Math.min(PATH_NEIGHBOURS, layout.pathSlots);
    return Array.from(
      { length: slots },
      (_, step) => layout.pathsAt + ((first + step) & (layout.pathSlots - 1)) * PATH_WORDS,
    );
  }
}

/** As `Client` has it: the word of an IPv4 address comes first. */
function clientOf(text: string): Client | undefined {
  const address = parseAddress(text);
  if (address === undefined) return undefined;
  const { family, words } = address;
  return { family, words: Int32Array.from(family === 4 ? [words[3], 0, 0, 0] : words) };
}
